// From a service and a snapshot to everything that a Spawner needs; and what must be in place before.
#pragma once

#include <expected>
#include <string>

#include "arizuko/env/scope.hpp"
#include "arizuko/host/process/child_spec.hpp"
#include "arizuko/host/process/spawn_error.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// What only the supervisor knows of a run.
struct RunFacts {
  std::string mark;           // value of mark_variable
  std::string notify_socket;  // empty: the service has no notify condition
  int out = -1;
  int err = -1;
  int group = -1;  // directory of its control group; -1: none
};

/// The child's specification. Fails when the program is not found.
std::expected<ChildSpec, SpawnError> child_spec(const plan::Plan& plan, const plan::Service& service,
                                                const env::Snapshot& snapshot, const RunFacts& facts);

/// The specification of an exec condition's command: the service's environment, output thrown away.
std::expected<ChildSpec, SpawnError> check_spec(const plan::Plan& plan, const plan::Service& service,
                                                const plan::ExecCheck& check, const env::Snapshot& snapshot,
                                                const RunFacts& facts);

/// Creates the working directory if it lies below the data dir, for the service's user, and removes the stale
/// files of the service's own unix sockets, if nobody listens there. `data_dir`: descriptor of the data
/// directory.
void prepare_start(const plan::Plan& plan, const plan::Service& service, int data_dir);

}  // namespace arizuko::host
