// Why a service is in its state, as a value: rules, tests and alerts go by it. Its sentence (to_text, made in
// cause_text.cpp) is for people, and may be reworded at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/engine/exit_status.hpp"
#include "arizuko/engine/time.hpp"
#include "arizuko/env/snapshot.hpp"

namespace arizuko::engine {

/// Each with the facts that it goes with (fields of Cause); what is not named is not set.
enum class Why : std::uint8_t {
  // It does not run.
  values_not_read,    // those of the environment, at boot
  pod_stops,          // nothing is started any more
  not_part,           // it is disabled; text: by what
  values_missing,     // names: the keys; text: what is wrong with them
  values_unusable,    // names: the keys; text: what is wrong with them
  values_unaccepted,  // names: guarded keys that are not those of the last run
  comes_after,        // names: the services
  task_done_before,   // names: the file that shows it
  look_outdated,      // a task: what changed meanwhile may keep it from starting

  // It runs.
  dependencies_ready,
  looks_whether_done,  // a task; names: the file that would show it
  conditions_hold,
  no_conditions,     // to be waited for: it is ready at once
  condition_ceased,  // one of readiness
  verifies,          // a task that ended well; names: the files that it should leave
  rereads_values,    // a task that ended well may have written some

  // It failed, or ended.
  ended,              // status; text: its last words
  in_background,      // status; text: what it left behind
  not_spawned,        // text: the reason
  not_ready,          // time: that it had; names: conditions that do not hold
  not_ended,          // a task; time: that it had
  not_ready_in_turn,  // of a rotation; text: why it was not waited for longer
  not_live,           // names: the condition; text: why it fails
  never_live,         // names: the condition that fails; none: nothing was seen in time
  not_verified,       // names: the file that is not there

  // It is to be stopped, or started again.
  operator_asked,        // text: who
  stop_requested,        // text: by what
  pod_ended,             // text: the verdict
  values_changed,        // its own
  definition_changed,    // its own, in the plan
  rolled_back,           // generation; names: the service that failed with it; because: how
  dependency_restarts,   // names: the service; because: why that is restarted
  dependency_stops,      // the same
  dependency_restarted,  // without this one: what it told that one is lost
  backoff_over,          // because: the failure before it
};
inline constexpr std::size_t kinds_of_causes = static_cast<std::size_t>(Why::backoff_over) + 1;

/// How often it failed, of so many times within so long.
struct FailureCount {
  std::uint32_t failures = 0;
  std::uint32_t budget = 0;  // 0: it is spent
  Nanoseconds window{};
  bool operator==(const FailureCount&) const = default;
};

struct Cause {
  Why why = Why::values_not_read;
  std::vector<std::string> names{};
  std::string text{};  // in somebody else's words: an operator's name, a kernel's reason
  std::optional<ExitStatus> status{};
  Nanoseconds time{};
  env::Generation generation = 0;
  std::optional<FailureCount> count{};
  std::shared_ptr<const Cause> because{};
};

/// What began it: of what is stopped along with another service, why that one is.
Why origin(const Cause& cause);
/// A service is stopped at once for it, before what depends on it.
bool is_failure(Why why);

/// "not-ready": stable, for alerts. One word of [a-z-] each.
std::string_view to_text(Why why);
/// A phrase that follows "because".
std::string to_text(const Cause& cause);

}  // namespace arizuko::engine
