// The states of a service and of the pod.
#pragma once

#include <array>
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

inline constexpr std::array all_states = {State::off,    State::blocked, State::waiting,  State::starting,
                                          State::ready,  State::unready, State::stopping, State::backoff,
                                          State::failed, State::done};
inline constexpr std::array all_pod_states = {PodState::booting, PodState::running, PodState::stopping,
                                              PodState::ended};

std::string_view to_text(State state);
std::string_view to_text(PodState state);

/// There may be a process: starting, ready, unready, stopping.
constexpr bool is_up(State state) {
  return state == State::starting || state == State::ready || state == State::unready ||
         state == State::stopping;
}

/// What somebody who looks at it wants to know first.
enum class Mood : std::uint8_t {
  well,  // it serves, or its work is done
  busy,  // on its way, without help
  bad,   // it does not serve, and should
  off,   // nobody wants it to serve
};

constexpr Mood mood(State state) {
  switch (state) {
    case State::ready:
    case State::done: return Mood::well;
    case State::waiting:
    case State::starting:
    case State::stopping:
    case State::backoff: return Mood::busy;
    case State::blocked:
    case State::unready:
    case State::failed: return Mood::bad;
    case State::off: return Mood::off;
  }
  return Mood::off;
}

constexpr Mood mood(PodState state) {
  switch (state) {
    case PodState::running: return Mood::well;
    case PodState::booting:
    case PodState::stopping: return Mood::busy;
    case PodState::ended: return Mood::off;
  }
  return Mood::off;
}

}  // namespace arizuko::engine
