#include "arizuko/cli/command_line.hpp"
#include "arizuko/posix/inherited.hpp"

int main(int argc, char** argv) {
  arizuko::posix::open_standard_descriptors();
  return arizuko::cli::run(argc, argv);
}
