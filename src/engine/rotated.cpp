// What a rotation asks of the services, and has them do: the one place where both meet.
#include "rotated.hpp"

#include "following.hpp"
#include "recovery.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

RotatedServices::Standing Rotated::standing(ServiceId id) const {
  const Run& run = services_.run(id);
  const State at = state(id);
  const bool stops = at == State::stopping;
  const bool restarts = stops && run.stop.next == Next::start_again && run.restarts.ready_at;
  const bool is_service = service(id).kind != plan::Kind::task;
  return {.state = at,
          .switched_off = run.wishes.switched_off,
          .part = run.wishes.part,
          .serves = is_service && !run.wishes.switched_off && (at == State::ready || restarts),
          .failing = stops && run.stop.next == Next::recover};
}

bool Rotated::would_see_others(ServiceId id, const env::Snapshot& values) const {
  return services_.run(id).given.values && following().sees_other_values(id, values);
}

bool Rotated::runs_with(ServiceId id, const env::SnapshotPtr& values) const {
  return services_.run(id).given.values == values;
}

void Rotated::restart(ServiceId id, const Cause& cause) {
  stopping().stop_with_bound(id, Next::start_again, cause);
}

void Rotated::leave(ServiceId id) { stopping().stop_with_bound(id, Next::stay_off, why_not_part(id)); }

void Rotated::start_again(ServiceId id) { enter(id, State::waiting, services_.run(id).restarts.failure); }

void Rotated::explain_start(ServiceId id, const Cause& why) {
  const State at = state(id);
  if (at == State::stopping || at == State::waiting) change(id).restarts.start_cause = why;
}

Cause Rotated::told(ServiceId id) const { return recovery().told(id); }
void Rotated::values_changed() { following().values_changed(); }
void Rotated::follow(ServiceId id, const Cause& cause) { following().follow_values(id, cause); }

}  // namespace arizuko::engine
