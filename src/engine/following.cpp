// What the values in force mean for each service.
#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "following.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

// Other values are in force.
void Following::values_changed() {
  for (ServiceId id = 0; id < services_.size(); ++id) {
    take_values(id);
    touch(id);
  }
  refresh_chances();
}

void Following::take_values(ServiceId id) {
  Run& run = change(id);
  const env::Snapshot& values = *values_.snapshot();
  const plan::Service& what = service(id);
  run.wishes.part = what.enabled && env::enabled(what, values);
  run.wishes.not_part_why = what.enabled ? env::why_disabled(what, values) : "the plan says enabled = false";
  run.wishes.missing = env::missing(what, values);
  run.wishes.unaccepted = values_.unaccepted(*services_.plan(), what);
  run.wishes.unusable.clear();
  if (!values.unusable.empty()) {
    for (std::string& key : env::scope(*services_.plan(), what)) {
      if (values.unusable.contains(key)) run.wishes.unusable.push_back(std::move(key));
    }
  }
  run.given.outdated = has_old_values(id);
}

// Its environment would be another one today: by new values, or by a new definition of what it sees.
bool Following::has_old_values(ServiceId id) const {
  const Run& run = services_.run(id);
  return run.given.values && sees_other_values(id, *values_.snapshot());
}

bool Following::sees_other_values(ServiceId id, const env::Snapshot& snapshot) const {
  const Run& run = services_.run(id);
  if (run.given.values.get() == &snapshot && run.given.defined_by == services_.plan()) return false;
  const plan::Plan& then = *run.given.defined_by;
  return env::compose(then, then.services[id], *run.given.values) !=
         env::compose(*services_.plan(), service(id), snapshot);
}

// Brings one service to the values in force, at once.
void Following::follow_values(ServiceId id, const Cause& cause) {
  const Run& run = services_.run(id);
  touch(id);
  if (state(id) == State::failed || state(id) == State::backoff) {
    if (!run.wishes.part || has_old_values(id)) try_again_with(id, cause);
    return;
  }
  if (!is_up(state(id)) || state(id) == State::stopping) return;
  if (!run.wishes.part) return stopping().stop_with_bound(id, Next::stay_off, why_not_part(id));
  if (service(id).kind == plan::Kind::task || !has_old_values(id)) return;
  switch (service(id).on_change) {
    case plan::OnChange::restart: return stopping().stop_with_bound(id, Next::start_again, cause);
    case plan::OnChange::signal:
      // What is starting may not handle the signal yet, and die of it.
      if (state(id) == State::starting) return stopping().stop_with_bound(id, Next::start_again, cause);
      return tell_of_values(id, cause);
    case plan::OnChange::ignore: return;
  }
}

void Following::tell_of_values(ServiceId id, const Cause& cause) {
  const plan::Service& what = service(id);
  Given& given = change(id).given;
  given.values = values_.snapshot();
  given.defined_by = services_.plan();
  given.outdated = false;
  emit(Signal{run_of(id), Target::main, what.change_signal});
  note(What::signal_sent, id, fmt::format("{}: {}", signal_name(what.change_signal), to_text(cause)));
}

// What failed before may work now (or is not part of the instance any more: then it is off).
void Following::try_again_with(ServiceId id, const Cause& cause) {
  Restarts& restarts = change(id).restarts;
  restarts.record.clear();
  restarts.counted = 0;
  restarts.start_cause = cause;
  enter(id, State::waiting, cause);
}

}  // namespace arizuko::engine
