// The codes of causes.
#include "arizuko/engine/cause.hpp"

namespace arizuko::engine {

Why origin(const Cause& cause) {
  const Cause* first = &cause;
  const auto along = [](Why why) { return why == Why::dependency_restarts || why == Why::dependency_stops; };
  while (along(first->why) && first->because) first = first->because.get();
  return first->why;
}

bool is_failure(Why why) {
  switch (why) {
    case Why::ended:
    case Why::in_background:
    case Why::not_spawned:
    case Why::not_ready:
    case Why::not_ended:
    case Why::not_ready_in_turn:
    case Why::not_live:
    case Why::never_live:
    case Why::not_verified: return true;
    case Why::values_not_read:
    case Why::pod_stops:
    case Why::not_part:
    case Why::values_missing:
    case Why::values_unusable:
    case Why::values_unaccepted:
    case Why::comes_after:
    case Why::task_done_before:
    case Why::look_outdated:
    case Why::dependencies_ready:
    case Why::looks_whether_done:
    case Why::conditions_hold:
    case Why::no_conditions:
    case Why::condition_ceased:
    case Why::verifies:
    case Why::rereads_values:
    case Why::operator_asked:
    case Why::stop_requested:
    case Why::pod_ended:
    case Why::values_changed:
    case Why::definition_changed:
    case Why::rolled_back:
    case Why::dependency_restarts:
    case Why::dependency_stops:
    case Why::dependency_restarted:
    case Why::backoff_over: return false;
  }
  return false;
}

std::string_view to_text(Why why) {
  switch (why) {
    case Why::values_not_read: return "values-not-read";
    case Why::pod_stops: return "pod-stops";
    case Why::not_part: return "not-part";
    case Why::values_missing: return "values-missing";
    case Why::values_unusable: return "values-unusable";
    case Why::values_unaccepted: return "values-unaccepted";
    case Why::comes_after: return "comes-after";
    case Why::task_done_before: return "task-done-before";
    case Why::look_outdated: return "look-outdated";
    case Why::dependencies_ready: return "dependencies-ready";
    case Why::looks_whether_done: return "looks-whether-done";
    case Why::conditions_hold: return "conditions-hold";
    case Why::no_conditions: return "no-conditions";
    case Why::condition_ceased: return "condition-ceased";
    case Why::verifies: return "verifies";
    case Why::rereads_values: return "rereads-values";
    case Why::ended: return "ended";
    case Why::in_background: return "in-background";
    case Why::not_spawned: return "not-spawned";
    case Why::not_ready: return "not-ready";
    case Why::not_ended: return "not-ended";
    case Why::not_ready_in_turn: return "not-ready-in-turn";
    case Why::not_live: return "not-live";
    case Why::never_live: return "never-live";
    case Why::not_verified: return "not-verified";
    case Why::operator_asked: return "operator-asked";
    case Why::stop_requested: return "stop-requested";
    case Why::pod_ended: return "pod-ended";
    case Why::values_changed: return "values-changed";
    case Why::definition_changed: return "definition-changed";
    case Why::rolled_back: return "rolled-back";
    case Why::dependency_restarts: return "dependency-restarts";
    case Why::dependency_stops: return "dependency-stops";
    case Why::dependency_restarted: return "dependency-restarted";
    case Why::backoff_over: return "backoff-over";
  }
  return "?";
}

}  // namespace arizuko::engine
