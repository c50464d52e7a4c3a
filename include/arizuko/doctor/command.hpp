// Runs one short command, with a time limit, and keeps the beginning of what it wrote. No shell.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "arizuko/host/spawn.hpp"

namespace arizuko::doctor {

struct CommandResult {
  enum class End { exited, signalled, timed_out };
  End end = End::exited;
  int number = 0;      // exit code, or signal
  std::string output;  // stdout and stderr, the first 4 KiB
};

/// `executable` has a '/'. At the end of `patience` the command and what is in its session's process group is
/// killed. Waits for this child only.
std::expected<CommandResult, host::SpawnError> run_command(const std::string& executable,
                                                           const std::vector<std::string>& argv,
                                                           const std::vector<std::string>& environment,
                                                           std::chrono::milliseconds patience);

}  // namespace arizuko::doctor
