// The commands, each in a file of its name; start, stop and restart share one.
#pragma once

#include <memory>

#include "cli/command.hpp"

namespace arizuko::cli {

std::unique_ptr<Command> run_command();
std::unique_ptr<Command> check_command();
std::unique_ptr<Command> graph_command();
std::unique_ptr<Command> doctor_command();
std::unique_ptr<Command> healthcheck_command();
std::unique_ptr<Command> completion_command();
std::unique_ptr<Command> status_command();
std::unique_ptr<Command> why_command();
std::unique_ptr<Command> logs_command();
std::unique_ptr<Command> events_command();
std::unique_ptr<Command> start_command();
std::unique_ptr<Command> stop_command();
std::unique_ptr<Command> restart_command();
std::unique_ptr<Command> reload_command();
std::unique_ptr<Command> secrets_command();
std::unique_ptr<Command> version_command();

}  // namespace arizuko::cli
