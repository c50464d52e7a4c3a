// The steps of a rotation: who restarts when, and the way back.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/difference.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

// Beside the services' own times to stop and to be ready.
constexpr std::chrono::seconds margin_of_a_turn{10};

Cause values_changed() { return {.why = Why::values_changed}; }

}  // namespace

// It serves, or did until a planned restart that is under way: it has to serve again.
bool Engine::Machine::serves(ServiceId id) const {
  if (service(id).kind == plan::Kind::task || runs_[id].switched_off) return false;
  const bool restarts = state(id) == State::stopping && runs_[id].next == Next::start_again;
  return state(id) == State::ready || (restarts && view_.services[id].ready_at);
}

void Engine::Machine::begin_rotation(const EnvironmentChanged& offer, const env::SnapshotPtr& fresh) {
  rotation_.emplace();
  rotation_->before = in_force_;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (serves(id)) rotation_->serving.insert(id);
  }
  view_.rotation = RotationView{};
  RotationView& view = shown_rotation();
  view.generation = fresh->generation;
  view.before = snapshot()->generation;
  view.keys = env::difference(*snapshot(), *fresh);
  view.began = now_;
  view.switched = offer.switched;
  const std::string what = view.keys.empty() ? "nothing that is not in force" : env::to_text(view.keys);
  put_in_force({fresh, now_, {offer.unlike_last_run.begin(), offer.unlike_last_run.end()}});
  note_generation(What::generation_taken, fresh->generation,
                  fmt::format("generation {} is taken: {}", fresh->generation, what));
  note_unlike_last_run(rotation_->before.unlike_last_run);
  show_held_keys();
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) enroll(dependencies_.at_rank(rank));
  list_remaining();
  view.services = view.remaining;
}

// From now on it has to be ready again, and its failures count against the values.
void Engine::Machine::await_return_of(ServiceId id) {
  const plan::Service& what = service(id);
  rotation_->pending.erase(id);
  rotation_->awaited.insert(id);
  rotation_->moved.insert(id);
  const Nanoseconds time = what.stop.timeout + what.stop.leftovers + what.ready_within;
  if (rotation_->hurried) return;
  rotation_->deadline = std::max(rotation_->deadline.value_or(now_ + margin_of_a_turn), now_) + time;
}

// What serves waits for its turn; what does not has nothing to lose, and follows at once.
void Engine::Machine::enroll(ServiceId id) {
  Rotation& rotation = *rotation_;
  const bool affected = !runs_[id].part || has_old_values(id);
  if (!affected) return;
  if (!rotation.serving.contains(id)) {
    const std::vector<ServiceId> bound = up_and_bound(id);
    follow_values(id, values_changed());
    for (const ServiceId other : bound) {  // it was up and not ready: what is bound to it may have served
      if (state(other) == State::stopping && rotation.serving.contains(other)) await_return_of(other);
    }
    return;
  }
  if (state(id) == State::stopping) return await_return_of(id);  // it starts with the new values
  const bool restarts = !runs_[id].part || service(id).on_change == plan::OnChange::restart;
  if (restarts) {
    rotation.pending.insert(id);
  } else if (service(id).on_change == plan::OnChange::signal) {
    rotation.moved.insert(id);  // it may die of what it reads
    follow_values(id, values_changed());
  }
}

bool Engine::Machine::advance_phase() {
  Rotation& rotation = *rotation_;
  if (rotation.ending) {
    end_rotation(*rotation.ending);
    return true;
  }
  const bool too_late = rotation.deadline && now_ >= *rotation.deadline;
  std::erase_if(rotation.awaited, [this](ServiceId id) { return serves_again(id); });
  switch (rotation.phase) {
    case RotationPhase::restarting: return advance_restarting(too_late);
    case RotationPhase::observing:
      if (!too_late && !next_values_ && !next_plan_) return false;
      if (const std::optional<ServiceId> failing = failing_one()) {
        go_back(*failing, told(*failing));
      } else {
        end_rotation(Outcome::applied);
      }
      return true;
    case RotationPhase::going_back:
      // All of them at one moment: one that came back may be gone again.
      if (!all_serve_again() && !too_late) return false;
      if (too_late) shown_rotation().cause += "; and not every service came back in time";
      end_rotation(too_late ? Outcome::rolled_back_in_part : Outcome::rolled_back);
      return true;
  }
  return false;
}

bool Engine::Machine::advance_restarting(bool too_late) {
  Rotation& rotation = *rotation_;
  const auto blocking =
      std::ranges::find_if(rotation.awaited, [this](ServiceId id) { return !waits_for_its_turn(id); });
  if (blocking != rotation.awaited.end()) {
    if (too_late)
      go_back(*blocking,
              {.why = Why::not_ready_in_turn, .text = rotation.hurried ? "newer values wait" : ""});
    return too_late;
  }
  if (const std::optional<ServiceId> next = next_in_turn()) {
    rotation.deadline.reset();
    rotation.hurried = false;
    take_turn_of(*next);
    return true;
  }
  if (rotation.moved.empty()) {
    end_rotation(Outcome::applied);
    return true;
  }
  rotation.phase = shown_rotation().phase = RotationPhase::observing;
  rotation.deadline = now_ + observed_for;
  shown_rotation().all_ready = now_;
  return true;
}

// It has failed with its new values, and is on its way down.
std::optional<ServiceId> Engine::Machine::failing_one() const {
  for (const ServiceId id : rotation_->moved) {
    const bool failing = state(id) == State::stopping && runs_[id].next == Next::recover;
    if (failing && !runs_[id].switched_off && runs_[id].values == snapshot()) return id;
  }
  return std::nullopt;
}

bool Engine::Machine::all_serve_again() const {
  return std::ranges::all_of(rotation_->moved, [this](ServiceId id) { return serves_again(id); });
}

bool Engine::Machine::serves_again(ServiceId id) const {
  if (runs_[id].switched_off) return true;  // the operator's wish
  if (!runs_[id].part) return state(id) == State::off;
  return state(id) == State::done || (state(id) == State::ready && !has_old_values(id));
}

// It comes back when something it is bound to has been restarted, whose turn is still to come.
bool Engine::Machine::waits_for_its_turn(ServiceId id) const {
  if (state(id) != State::waiting) return false;
  return std::ranges::any_of(service(id).bound_to,
                             [this](ServiceId other) { return rotation_->pending.contains(other); });
}

std::optional<ServiceId> Engine::Machine::next_in_turn() const {
  std::optional<ServiceId> next;
  std::vector<bool> held(runs_.size(), false);  // it is pending itself, or comes after one that is
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    const ServiceId id = dependencies_.at_rank(rank);
    const bool pending = rotation_->pending.contains(id);
    const bool comes_after_one =
        std::ranges::any_of(dependencies_.prerequisites(id), [&](ServiceId other) { return held[other]; });
    held[id] = pending || comes_after_one;
    if (!pending || comes_after_one) continue;
    if (!next || criticality(id) < criticality(*next)) next = id;
  }
  return next;
}

Engine::Machine::Criticality Engine::Machine::criticality(ServiceId id) const {
  const bool asked_for = std::ranges::find(plan_->pod.ready_when, id) != plan_->pod.ready_when.end();
  return {service(id).essential, asked_for, dependencies_.far_dependents(id), dependencies_.rank(id)};
}

void Engine::Machine::take_turn_of(ServiceId id) {
  Rotation& rotation = *rotation_;
  std::vector<ServiceId> all = is_up(state(id)) ? up_and_bound(id) : std::vector<ServiceId>{};
  all.push_back(id);
  for (const ServiceId each : all) {
    if (rotation.serving.contains(each)) await_return_of(each);
  }
  list_remaining();
  if (next_values_) hurry_turn();
  brake_.restarted(id, now_);
  if (!is_up(state(id))) return follow_values(id, values_changed());
  if (!runs_[id].part) return stop_with_bound(id, Next::stay_off, why_not_part(id));
  stop_with_bound(id, Next::start_again, values_changed());
}

// Newer values wait: they do not wait long for services that the pod can do without. A wrong password that
// its daemon does not end of would hold up every other rotation for the whole of `ready.within`.
void Engine::Machine::hurry_turn() {
  Rotation& rotation = *rotation_;
  const auto cannot_do_without = [this](ServiceId id) {
    return service(id).essential ||
           std::ranges::find(plan_->pod.ready_when, id) != plan_->pod.ready_when.end();
  };
  if (rotation.hurried || rotation.awaited.empty() ||
      std::ranges::any_of(rotation.awaited, cannot_do_without))
    return;
  Nanoseconds stopping{0};
  for (const ServiceId id : rotation.awaited) {
    if (!is_up(state(id)) || state(id) == State::starting) continue;
    stopping = std::max<Nanoseconds>(stopping, service(id).stop.timeout + service(id).stop.leftovers);
  }
  const Instant soon = now_ + stopping + patience_while_others_wait;
  if (rotation.deadline && *rotation.deadline <= soon) return;
  rotation.deadline = soon;
  rotation.hurried = true;
}

// A service whose turn had not come was started anew for a reason of its own: with the new values.
void Engine::Machine::started_out_of_turn(ServiceId id) {
  if (!rotation_ || !rotation_->pending.contains(id)) return;
  await_return_of(id);
  list_remaining();
}

void Engine::Machine::list_remaining() {
  std::vector<std::string>& names = shown_rotation().remaining;
  names.clear();
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    const ServiceId id = dependencies_.at_rank(rank);
    if (rotation_->pending.contains(id)) names.push_back(service(id).name);
  }
}

// ---------------------------------------------------------------------------------------------
// Going back

// A service ended, or did not become ready. True: the values are to blame, not the service, and what
// follows is done.
bool Engine::Machine::blame_values(ServiceId id) {
  if (!rotation_ || rotation_->ending || !rotation_->moved.contains(id) || runs_[id].switched_off)
    return false;
  const bool observed = rotation_->phase == RotationPhase::observing && now_ >= *rotation_->deadline;
  if (observed) return false;
  const std::string cause = fmt::format("{}: {}", service(id).name, to_text(runs_[id].failure));
  if (rotation_->phase == RotationPhase::going_back) {
    // Its own values do not help it either: the restart policy goes on from here.
    shown_rotation().cause += fmt::format("; and with the old values {}", cause);
    rotation_->ending = Outcome::rolled_back_in_part;
    return false;
  }
  if (runs_[id].values != snapshot()) return false;
  enter(id, State::waiting, runs_[id].failure);
  go_back(id, told(id));
  return true;
}

void Engine::Machine::go_back(ServiceId culprit, const Cause& failure) {
  const std::string cause = fmt::format("{}: {}", service(culprit).name, to_text(failure));
  Rotation& rotation = *rotation_;
  const env::Generation failed = snapshot()->generation;
  rotation.phase = shown_rotation().phase = RotationPhase::going_back;
  shown_rotation().cause = cause;
  rotation.pending.clear();
  list_remaining();
  Held held = hold_blamed(culprit, to_text(failure));
  put_in_force(rotation.before);
  emit(Note{.seq = ++seq_,
            .what = What::generation_going_back,
            .cause = fmt::format("generation {} is rolled back to generation {}: {}", failed,
                                 snapshot()->generation, cause),
            .generation = failed,
            .back_to = snapshot()->generation,
            .culprit = culprit});
  tell_of_held(held);
  held_back_ = std::move(held);
  show_held_keys();
  const Cause why{.why = Why::rolled_back,
                  .names = {service(culprit).name},
                  .generation = failed,
                  .because = std::make_shared<const Cause>(failure)};
  rotation.deadline.reset();
  rotation.hurried = false;
  rotation.awaited.clear();
  for (const ServiceId id : std::set<ServiceId>(rotation.moved)) await_return_of(id);
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) go_back_with(dependencies_.at_rank(rank), why);
}

void Engine::Machine::go_back_with(ServiceId id, const Cause& why) {
  const bool moved = rotation_->moved.contains(id);
  const bool serves_now = is_up(state(id)) && state(id) != State::stopping;
  if (moved && serves_now && has_old_values(id) && service(id).on_change == plan::OnChange::ignore) {
    stop_with_bound(id, Next::start_again, why);  // it got the new values only with what it is bound to
  } else {
    follow_values(id, why);
  }
  if (moved && (state(id) == State::stopping || state(id) == State::waiting)) runs_[id].start_cause = why;
}

}  // namespace arizuko::engine
