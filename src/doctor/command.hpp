// Runs one short command, with a time limit, and keeps the beginning of what it wrote. No shell.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "arizuko/host/process/spawn_error.hpp"

namespace arizuko::doctor {

struct CommandResult {
  enum class End { exited, signalled, timed_out };
  End end = End::exited;
  int number = 0;      // exit code, or signal
  std::string output;  // stdout and stderr, the first 4 KiB
};

/// `executable` has a '/'. When the command has ended, or at the end of `patience`, everything that it has
/// started is killed, in its session or out of it. Reaps every child of this process that ends meanwhile.
std::expected<CommandResult, host::SpawnError> run_command(const std::string& executable,
                                                           const std::vector<std::string>& argv,
                                                           const std::vector<std::string>& environment,
                                                           std::chrono::milliseconds patience);

}  // namespace arizuko::doctor
