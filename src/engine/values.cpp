// What the values in force mean for each service.
#include <utility>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

void Engine::Machine::on(const EnvironmentChanged& event) {
  if (stopping()) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (runs_[id].phase == Phase::rereading) task_is_done(id);
  }
  Rotated services(*this);
  const bool first = !values_.snapshot();
  if (!values_.offer(event, services)) return;
  if (first) return refuse_boot_without_values();
  // At once, before what waits for a task's values starts.
  if (values_.is_observing()) advance_values();
  if (!values_.is_rotating()) advance_values();
}

void Engine::Machine::on(const Accept& event) {
  Rotated services(*this);
  if (!stopping()) values_.accept(event, services);
}

void Engine::Machine::on(const Retry& event) {
  Rotated services(*this);
  if (!stopping()) values_.retry(event, services);
}

// Called until nothing follows any more. True: something changed, let it have its consequences.
bool Engine::Machine::advance_values() {
  if (stopping()) return false;
  if (next_plan_ && !values_.is_rotating()) {
    take_plan(*std::exchange(next_plan_, nullptr));
    return true;
  }
  Rotated services(*this);
  return values_.advance(services);
}

// Other values are in force.
void Engine::Machine::values_changed() {
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    take_values(id);
    touch(id);
  }
  refresh_chances();
}

void Engine::Machine::take_values(ServiceId id) {
  Run& run = change(id);
  const env::Snapshot& values = *values_.snapshot();
  const plan::Service& what = service(id);
  run.wishes.part = what.enabled && env::enabled(what, values);
  run.wishes.not_part_why = what.enabled ? env::why_disabled(what, values) : "the plan says enabled = false";
  run.wishes.missing = env::missing(what, values);
  run.wishes.unaccepted = values_.unaccepted(*plan_, what);
  run.wishes.unusable.clear();
  if (!values.unusable.empty()) {
    for (std::string& key : env::scope(*plan_, what)) {
      if (values.unusable.contains(key)) run.wishes.unusable.push_back(std::move(key));
    }
  }
  run.given.outdated = has_old_values(id);
}

// Its environment would be another one today: by new values, or by a new definition of what it sees.
bool Engine::Machine::has_old_values(ServiceId id) const {
  const Run& run = runs_[id];
  return run.given.values && sees_other_values(id, *values_.snapshot());
}

bool Engine::Machine::sees_other_values(ServiceId id, const env::Snapshot& snapshot) const {
  const Run& run = runs_[id];
  if (run.given.values.get() == &snapshot && run.given.defined_by == plan_) return false;
  const plan::Plan& then = *run.given.defined_by;
  return env::compose(then, then.services[id], *run.given.values) !=
         env::compose(*plan_, service(id), snapshot);
}

Cause Engine::Machine::why_not_part(ServiceId id) const {
  return {.why = Why::not_part, .text = runs_[id].wishes.not_part_why};
}

// Brings one service to the values in force, at once.
void Engine::Machine::follow_values(ServiceId id, const Cause& cause) {
  const Run& run = runs_[id];
  touch(id);
  if (state(id) == State::failed || state(id) == State::backoff) {
    if (!run.wishes.part || has_old_values(id)) try_again_with(id, cause);
    return;
  }
  if (!is_up(state(id)) || state(id) == State::stopping) return;
  if (!run.wishes.part) return stop_with_bound(id, Next::stay_off, why_not_part(id));
  if (service(id).kind == plan::Kind::task || !has_old_values(id)) return;
  switch (service(id).on_change) {
    case plan::OnChange::restart: return stop_with_bound(id, Next::start_again, cause);
    case plan::OnChange::signal:
      // What is starting may not handle the signal yet, and die of it.
      if (state(id) == State::starting) return stop_with_bound(id, Next::start_again, cause);
      return tell_of_values(id, cause);
    case plan::OnChange::ignore: return;
  }
}

void Engine::Machine::tell_of_values(ServiceId id, const Cause& cause) {
  const plan::Service& what = service(id);
  Given& given = change(id).given;
  given.values = values_.snapshot();
  given.defined_by = plan_;
  given.outdated = false;
  emit(Signal{run_of(id), Target::main, what.change_signal});
  note(What::signal_sent, id, fmt::format("{}: {}", signal_name(what.change_signal), to_text(cause)));
}

// What failed before may work now (or is not part of the instance any more: then it is off).
void Engine::Machine::try_again_with(ServiceId id, const Cause& cause) {
  Restarts& restarts = change(id).restarts;
  restarts.record.clear();
  restarts.counted = 0;
  restarts.start_cause = cause;
  enter(id, State::waiting, cause);
}

}  // namespace arizuko::engine
