#include "starter.hpp"

#include <utility>

namespace arizuko::host {

std::expected<pid_t, SpawnError> Starter::start(const plan::Service& service,
                                                std::expected<ChildSpec, SpawnError> spec) {
  if (!spec) return std::unexpected(std::move(spec.error()));
  auto pid = spawner_.spawn(*spec);
  if (pid || pid.error().stage != SpawnStage::joining_the_control_group) return pid;
  groups_.tell_trouble(service.name, to_text(pid.error()));
  spec->group = -1;
  return spawner_.spawn(*spec);
}

}  // namespace arizuko::host
