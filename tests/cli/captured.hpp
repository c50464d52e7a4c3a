// Runs a command line as a user would type it, and keeps what it wrote.
#pragma once

#include <string>
#include <vector>

#include "arizuko/cli/command_line.hpp"

namespace arizuko::cli {

struct Captured {
  int code = -1;
  std::string out;
  std::string err;
};

inline Captured type(const std::vector<std::string>& words, bool is_pid_1 = false) {
  Captured captured;
  Console console;
  console.out = [&](std::string_view text) { captured.out += text; };
  console.err = [&](std::string_view text) { captured.err += text; };
  captured.code = run(words, console, is_pid_1);
  return captured;
}

}  // namespace arizuko::cli
