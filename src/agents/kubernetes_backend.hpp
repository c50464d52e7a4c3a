// The commands on Kubernetes. Each returns docker's exit code or a failure that main prints.
#pragma once

#include "command_line.hpp"
#include "settings.hpp"

namespace arizuko::agents {

Result<int> on_kubernetes(const Command& command, const Environment& environment);

}  // namespace arizuko::agents
