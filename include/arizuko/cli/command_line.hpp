// What a person types: parses the command line, runs the command, returns the exit code.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::cli {

/// Where a command writes. A value, so that tests read what was written.
struct Console {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  bool colour = false;       // of `out`
  bool is_terminal = false;  // `out` is one
};

/// Exit codes of `run`: design.md section 5 (0 64 69 70 73 75 77 78). Of client commands: 0 yes, 1 no,
/// 2 nobody answers, 64 usage. `check`: 0 or 78.
int run(int argc, char** argv);

/// The same with the words behind the program's name. `is_pid_1`: no command means `run`.
int run(const std::vector<std::string>& words, const Console& console, bool is_pid_1);

}  // namespace arizuko::cli
