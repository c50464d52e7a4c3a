// What a line of history says, as a value: log levels, alerts and tests go by it. The sentence beside it
// (Note::cause) is for people, and may be reworded at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arizuko::engine {

enum class What : std::uint8_t {
  // Of one service.
  state_changed,
  spawned,        // a main process was started
  spawn_failed,   // none was to be had
  ended_well,     // its main process exited with code 0
  ended_as_told,  // it died of the stop signal that it was sent
  ended_badly,    // it exited with another code, or died of another signal
  signal_sent,    // its stop signal, or the one that tells of new values
  killed,         // SIGKILL was sent: what was asked for did not happen in time
  condition_holds,
  condition_ceased,
  condition_dropped,  // its `wait` is over, it never held
  start_asked,        // an operator did, as with the next three
  stop_asked,
  restart_asked,

  // Of values.
  value_accepted,
  value_not_held,         // an operator accepted what is not held back
  value_retried,          // one that was not borne is tried again
  value_held_back,        // it is not taken from its source: the old one stays
  value_unlike_last_run,  // at boot: a guarded one is not what it was in the last run
  values_refused,         // they cannot be read, or used
  generation_taken,
  generation_waits,  // for the rate limit
  generation_refused,
  generation_superseded,
  generation_applied,
  generation_going_back,  // a service failed with it
  generation_rolled_back,
  generation_rolled_back_in_part,
  generation_interrupted,

  // Of the plan.
  plan_taken,
  plan_waits,  // for the end of a rotation
  plan_refused,

  // Of the pod.
  pod_opened,
  pod_stopping,
  pod_hurried,
  pod_killing,  // SIGKILL to all that is left
  pod_ended,
  start_waits,  // before the first values: for what has to be over
  remark,       // the host has something to tell of the pod
  warning,      // the same, and somebody should look at it
  fault,        // of arizuko-init itself
};
inline constexpr std::size_t kinds_of_notes = static_cast<std::size_t>(What::fault) + 1;

/// The same in twelve words: what `events` shows as "event".
enum class About : std::uint8_t {
  state,
  spawned,
  spawn_failed,
  exited,
  signal,
  condition,
  command,
  environment,
  plan,
  pod,
  remark,
  warning,
};

enum class Severity : std::uint8_t { info, warning, error };

struct Note;

About about(What what);
/// How loud its log line is.
Severity severity(const Note& note);
/// Not every step of history is worth a line of the log: `events` has them all.
bool worth_a_line(const Note& note);

/// "generation-refused": stable, for alerts. One word of [a-z-] each.
std::string_view to_text(What what);
std::string_view to_text(About about);

}  // namespace arizuko::engine
