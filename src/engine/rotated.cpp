// What a rotation asks of the services, and has them do: the one place where both meet.
#include "machine.hpp"

namespace arizuko::engine {

RotatedServices::Standing Engine::Machine::Rotated::standing(ServiceId id) const {
  const Run& run = machine.runs_[id];
  const State state = machine.state(id);
  const bool stopping = state == State::stopping;
  const bool restarts = stopping && run.stop.next == Next::start_again && run.restarts.ready_at;
  const bool is_service = machine.service(id).kind != plan::Kind::task;
  return {.state = state,
          .switched_off = run.wishes.switched_off,
          .part = run.wishes.part,
          .serves = is_service && !run.wishes.switched_off && (state == State::ready || restarts),
          .failing = stopping && run.stop.next == Next::recover};
}

bool Engine::Machine::Rotated::would_see_others(ServiceId id, const env::Snapshot& values) const {
  return machine.runs_[id].given.values && machine.sees_other_values(id, values);
}

bool Engine::Machine::Rotated::runs_with(ServiceId id, const env::SnapshotPtr& values) const {
  return machine.runs_[id].given.values == values;
}

void Engine::Machine::Rotated::restart(ServiceId id, const Cause& cause) {
  machine.stop_with_bound(id, Next::start_again, cause);
}

void Engine::Machine::Rotated::leave(ServiceId id) {
  machine.stop_with_bound(id, Next::stay_off, machine.why_not_part(id));
}

void Engine::Machine::Rotated::start_again(ServiceId id) {
  machine.enter(id, State::waiting, machine.runs_[id].restarts.failure);
}

void Engine::Machine::Rotated::explain_start(ServiceId id, const Cause& why) {
  const State state = machine.state(id);
  if (state == State::stopping || state == State::waiting) machine.change(id).restarts.start_cause = why;
}

void Engine::Machine::Rotated::note(Note note) { machine.record_.note(std::move(note)); }

}  // namespace arizuko::engine
