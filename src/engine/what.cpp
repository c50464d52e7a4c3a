// Each kind of note: its word, its level, and whether it is worth a line of the log.
#include "arizuko/engine/what.hpp"

#include "arizuko/engine/action.hpp"

namespace arizuko::engine {

std::string_view to_text(What what) {
  switch (what) {
    case What::state_changed: return "state-changed";
    case What::spawned: return "spawned";
    case What::spawn_failed: return "spawn-failed";
    case What::ended_well: return "ended-well";
    case What::ended_as_told: return "ended-as-told";
    case What::ended_badly: return "ended-badly";
    case What::signal_sent: return "signal-sent";
    case What::killed: return "killed";
    case What::condition_holds: return "condition-holds";
    case What::condition_ceased: return "condition-ceased";
    case What::condition_dropped: return "condition-dropped";
    case What::start_asked: return "start-asked";
    case What::stop_asked: return "stop-asked";
    case What::restart_asked: return "restart-asked";
    case What::value_accepted: return "value-accepted";
    case What::value_not_held: return "value-not-held";
    case What::value_retried: return "value-retried";
    case What::value_held_back: return "value-held-back";
    case What::value_unlike_last_run: return "value-unlike-last-run";
    case What::values_refused: return "values-refused";
    case What::generation_taken: return "generation-taken";
    case What::generation_waits: return "generation-waits";
    case What::generation_refused: return "generation-refused";
    case What::generation_superseded: return "generation-superseded";
    case What::generation_applied: return "generation-applied";
    case What::generation_going_back: return "generation-going-back";
    case What::generation_rolled_back: return "generation-rolled-back";
    case What::generation_rolled_back_in_part: return "generation-rolled-back-in-part";
    case What::generation_interrupted: return "generation-interrupted";
    case What::plan_taken: return "plan-taken";
    case What::plan_waits: return "plan-waits";
    case What::plan_refused: return "plan-refused";
    case What::pod_opened: return "pod-opened";
    case What::pod_stopping: return "pod-stopping";
    case What::pod_hurried: return "pod-hurried";
    case What::pod_killing: return "pod-killing";
    case What::pod_ended: return "pod-ended";
    case What::start_waits: return "start-waits";
    case What::remark: return "remark";
    case What::warning: return "warning";
    case What::fault: return "fault";
  }
  return "?";
}

About about(What what) {
  switch (what) {
    case What::state_changed: return About::state;
    case What::spawned: return About::spawned;
    case What::spawn_failed: return About::spawn_failed;
    case What::ended_well:
    case What::ended_as_told:
    case What::ended_badly: return About::exited;
    case What::signal_sent:
    case What::killed: return About::signal;
    case What::condition_holds:
    case What::condition_ceased:
    case What::condition_dropped: return About::condition;
    case What::start_asked:
    case What::stop_asked:
    case What::restart_asked:
    case What::value_accepted:
    case What::value_not_held: return About::command;
    case What::value_retried:
    case What::value_held_back:
    case What::value_unlike_last_run:
    case What::values_refused:
    case What::generation_taken:
    case What::generation_waits:
    case What::generation_refused:
    case What::generation_superseded:
    case What::generation_applied:
    case What::generation_going_back:
    case What::generation_rolled_back:
    case What::generation_rolled_back_in_part:
    case What::generation_interrupted: return About::environment;
    case What::plan_taken:
    case What::plan_waits:
    case What::plan_refused: return About::plan;
    case What::pod_opened:
    case What::pod_stopping:
    case What::pod_hurried:
    case What::pod_killing:
    case What::pod_ended:
    case What::fault: return About::pod;
    case What::remark: return About::remark;
    case What::start_waits:
    case What::warning: return About::warning;
  }
  return About::pod;
}

std::string_view to_text(About about) {
  switch (about) {
    case About::state: return "state";
    case About::spawned: return "spawned";
    case About::spawn_failed: return "spawn-failed";
    case About::exited: return "exited";
    case About::signal: return "signal";
    case About::condition: return "condition";
    case About::command: return "command";
    case About::environment: return "environment";
    case About::plan: return "plan";
    case About::pod: return "pod";
    case About::remark: return "remark";
    case About::warning: return "warning";
  }
  return "?";
}

namespace {

Severity severity_of(State state) {
  switch (state) {
    case State::failed: return Severity::error;
    case State::backoff:
    case State::blocked:
    case State::unready: return Severity::warning;
    case State::off:
    case State::waiting:
    case State::starting:
    case State::ready:
    case State::stopping:
    case State::done: return Severity::info;
  }
  return Severity::error;
}

}  // namespace

Severity severity(const Note& note) {
  switch (note.what) {
    case What::state_changed: return note.to ? severity_of(*note.to) : Severity::info;
    case What::spawn_failed:
    case What::plan_refused:
    case What::values_refused:
    case What::fault: return Severity::error;
    case What::ended_badly:
    case What::killed:
    case What::condition_dropped:
    case What::value_held_back:
    case What::value_unlike_last_run:
    case What::generation_waits:
    case What::generation_refused:
    case What::generation_going_back:
    case What::generation_rolled_back:
    case What::generation_rolled_back_in_part:
    case What::pod_killing:
    case What::start_waits:
    case What::warning: return Severity::warning;
    case What::spawned:
    case What::ended_well:
    case What::ended_as_told:
    case What::signal_sent:
    case What::condition_holds:
    case What::condition_ceased:
    case What::start_asked:
    case What::stop_asked:
    case What::restart_asked:
    case What::value_accepted:
    case What::value_not_held:
    case What::value_retried:
    case What::generation_taken:
    case What::generation_superseded:
    case What::generation_applied:
    case What::generation_interrupted:
    case What::plan_taken:
    case What::plan_waits:
    case What::pod_opened:
    case What::pod_stopping:
    case What::pod_hurried:
    case What::pod_ended:
    case What::remark: return Severity::info;
  }
  return Severity::error;
}

bool worth_a_line(const Note& note) {
  switch (note.what) {
    case What::spawned:
    case What::signal_sent:
    case What::condition_holds:
    case What::condition_ceased:
    case What::plan_refused:  // the host says these two, with each problem in full
    case What::values_refused: return false;
    case What::state_changed:
      return note.to != State::starting && note.to != State::waiting &&
             !(note.to == State::off && note.from == State::waiting);
    case What::spawn_failed:
    case What::ended_well:
    case What::ended_as_told:
    case What::ended_badly:
    case What::killed:
    case What::condition_dropped:
    case What::start_asked:
    case What::stop_asked:
    case What::restart_asked:
    case What::value_accepted:
    case What::value_not_held:
    case What::value_retried:
    case What::value_held_back:
    case What::value_unlike_last_run:
    case What::generation_taken:
    case What::generation_waits:
    case What::generation_refused:
    case What::generation_superseded:
    case What::generation_applied:
    case What::generation_going_back:
    case What::generation_rolled_back:
    case What::generation_rolled_back_in_part:
    case What::generation_interrupted:
    case What::plan_taken:
    case What::plan_waits:
    case What::pod_opened:
    case What::pod_stopping:
    case What::pod_hurried:
    case What::pod_killing:
    case What::pod_ended:
    case What::start_waits:
    case What::remark:
    case What::warning:
    case What::fault: return true;
  }
  return true;
}

}  // namespace arizuko::engine
