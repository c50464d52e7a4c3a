// Starts a child in the control group of its service, or without where that fails.
#pragma once

#include <expected>

#include <sys/types.h>

#include "arizuko/host/process/spawner.hpp"
#include "service_groups.hpp"

namespace arizuko::host {

class Starter {
 public:
  /// When the signals are handled that we handle (signals.hpp). Both outlive this.
  Starter(Spawner& spawner, ServiceGroups& groups) : spawner_(spawner), groups_(groups) {
    spawner_.dispositions_changed();
  }

  std::expected<GroupDirectory, SpawnError> group_of(const plan::Service& service) {
    return groups_.open(service);
  }
  /// Whether its main process, which ended with this status (waitpid(2)), was killed because memory ran out.
  bool ended_out_of_memory(const plan::Service& service, int wait_status) {
    return groups_.ended_out_of_memory(service.name, wait_status);
  }
  std::expected<pid_t, SpawnError> start(const plan::Service& service,
                                         std::expected<ChildSpec, SpawnError> spec);

 private:
  Spawner& spawner_;
  ServiceGroups& groups_;
};

}  // namespace arizuko::host
