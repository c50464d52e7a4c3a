// `-v HOST:CONTAINER[:ro]` on Kubernetes: a directory of the volume that this pod has mounted, by subPath.
// What cannot be mapped is refused: an agent without what it was promised would go wrong in silence. Pure.
#pragma once

#include <optional>

#include "command_line.hpp"
#include "own_pod.hpp"
#include "settings.hpp"

namespace arizuko::agents {

struct Mapped {
  std::string claim;
  std::string sub_path;  // empty: the whole volume
  std::string path;      // in the agent's container
  Access access = Access::read_write;
};

/// nullopt: a directory of HOST_APP_DIR, which the agent image has in its own file system.
Result<std::optional<Mapped>> map_bind(const Bind& bind, const Settings& settings, const OwnPod& own);

}  // namespace arizuko::agents
