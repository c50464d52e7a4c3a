// What the values in force mean for each service, and which values are not taken at all.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

void Engine::Machine::put_in_force(ValuesInForce values) {
  in_force_ = std::move(values);
  view_.values_since = in_force_.since;
  view_.generation = snapshot()->generation;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    take_values(id);
    touch(id);
  }
  refresh_chances();
}

void Engine::Machine::take_values(ServiceId id) {
  Runtime& run = runs_[id];
  const plan::Service& what = service(id);
  run.part = what.enabled && env::enabled(what, *snapshot());
  run.not_part_why = what.enabled ? env::why_disabled(what, *snapshot()) : "the plan says enabled = false";
  run.missing = env::missing(what, *snapshot());
  run.unaccepted = guarded_.unaccepted(*plan_, what, in_force_);
  run.unusable.clear();
  if (!snapshot()->unusable.empty()) {
    for (std::string& key : env::scope(*plan_, what)) {
      if (snapshot()->unusable.contains(key)) run.unusable.push_back(std::move(key));
    }
  }
  shown(id).old_values = has_old_values(id);
}

// Its environment would be another one today: by new values, or by a new definition of what it sees.
bool Engine::Machine::has_old_values(ServiceId id) const {
  const Runtime& run = runs_[id];
  return run.values && sees_other_values(id, *snapshot());
}

bool Engine::Machine::sees_other_values(ServiceId id, const env::Snapshot& snapshot) const {
  const Runtime& run = runs_[id];
  if (run.values.get() == &snapshot && run.defined_by == plan_) return false;
  const plan::Plan& then = *run.defined_by;
  return env::compose(then, then.services[id], *run.values) != env::compose(*plan_, service(id), snapshot);
}

Cause Engine::Machine::why_not_part(ServiceId id) const {
  return {.why = Why::not_part, .text = runs_[id].not_part_why};
}

// Brings one service to the values in force, at once.
void Engine::Machine::follow_values(ServiceId id, const Cause& cause) {
  const Runtime& run = runs_[id];
  touch(id);
  if (state(id) == State::failed || state(id) == State::backoff) {
    if (!run.part || has_old_values(id)) try_again_with(id, cause);
    return;
  }
  if (!is_up(state(id)) || state(id) == State::stopping) return;
  if (!run.part) return stop_with_bound(id, Next::stay_off, why_not_part(id));
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
  runs_[id].values = snapshot();
  runs_[id].defined_by = plan_;
  shown(id).old_values = false;
  emit(Signal{run_of(id), Target::main, what.change_signal});
  note(What::signal_sent, id, fmt::format("{}: {}", signal_name(what.change_signal), to_text(cause)));
}

// What failed before may work now (or is not part of the instance any more: then it is off).
void Engine::Machine::try_again_with(ServiceId id, const Cause& cause) {
  runs_[id].failures.clear();
  shown(id).failures = 0;
  runs_[id].start_cause = cause;
  enter(id, State::waiting, cause);
}

// ---------------------------------------------------------------------------------------------
// Around a run

// `last`: the values of the run before, if there was one.
void Engine::Machine::before_run(ServiceId id, const env::Snapshot* last) {
  for (Remember& each : guarded_.before_run(*plan_, service(id), *snapshot())) emit(std::move(each));
  if (last == nullptr) return;
  for (LoginFiles& each : logins_.before_run(id, service(id).cached, *last, *snapshot()))
    emit(std::move(each));
}

void Engine::Machine::forget_logins(ServiceId id) {
  for (LoginFiles& each : logins_.forget(id)) emit(std::move(each));
}

void Engine::Machine::forget_all_logins() {
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (state(id) == State::ready) forget_logins(id);
  }
}

// ---------------------------------------------------------------------------------------------
// Refused

// Why a snapshot is not taken at all; empty: it is. Only what holding back a key does not mend: a service
// lacks a value that was not in force either.
std::string Engine::Machine::why_refused(const env::Snapshot& fresh) const {
  std::vector<std::string> lacks;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    const plan::Service& what = service(id);
    if (!is_up(state(id)) || runs_[id].switched_off || !what.enabled || !env::enabled(what, fresh)) continue;
    const std::vector<std::string> missing = env::missing(what, fresh);
    if (!missing.empty()) lacks.push_back(fmt::format("{} needs {}", what.name, fmt::join(missing, ", ")));
  }
  return fmt::format("{}", fmt::join(lacks, "; "));
}

}  // namespace arizuko::engine
