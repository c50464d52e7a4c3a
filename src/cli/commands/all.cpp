#include "all.hpp"

namespace arizuko::cli {

Commands all_commands() {
  Commands commands;
  for (const auto& make :
       {run_command, check_command, graph_command, doctor_command, healthcheck_command, completion_command,
        status_command, why_command, logs_command, events_command, start_command, stop_command,
        restart_command, reload_command, secrets_command, version_command})
    commands.push_back(make());
  return commands;
}

}  // namespace arizuko::cli
