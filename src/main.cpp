#include "arizuko/cli/command_line.hpp"

int main(int argc, char** argv) { return arizuko::cli::run(argc, argv); }
