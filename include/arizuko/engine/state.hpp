// The states of a service and of the pod.
#pragma once

#include <cstdint>
#include <string_view>

namespace arizuko::engine {

/// A service is in exactly one of these.
enum class State : std::uint8_t {
  off,       // not enabled (its token is absent), or switched off by the operator
  blocked,   // enabled, but a needed value is missing: says which
  waiting,   // for what it comes after: says for whom, since when
  starting,  // spawned, conditions not yet met: says which
  ready,     // serving
  unready,   // was ready; a readiness condition fails: not restarted for that
  stopping,  // told to stop, or cleaning up after its main process; says what it waits for
  backoff,   // will start again at a known instant
  failed,    // gave up: says why
  done,      // a task that succeeded
};

enum class PodState : std::uint8_t {
  booting,  // not everything in ready_when has been ready yet
  running,
  stopping,
  ended,
};

std::string_view to_text(State state);
std::string_view to_text(PodState state);

/// There may be a process: starting, ready, unready, stopping.
constexpr bool is_up(State state) {
  return state == State::starting || state == State::ready || state == State::unready ||
         state == State::stopping;
}

}  // namespace arizuko::engine
