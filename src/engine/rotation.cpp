// What becomes of a generation of values: see include/arizuko/engine/rotation.hpp. Its steps: turns.cpp.
//
//   offered -> (refused | waits) -> begins -> restarting -> observing -> applied
//                                                 |             |
//                                                 +- going_back +-> rolled back (in part)
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "arizuko/env/difference.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

What note_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::applied: return What::generation_applied;
    case Outcome::refused: return What::generation_refused;
    case Outcome::superseded: return What::generation_superseded;
    case Outcome::rolled_back: return What::generation_rolled_back;
    case Outcome::rolled_back_in_part: return What::generation_rolled_back_in_part;
    case Outcome::interrupted: return What::generation_interrupted;
  }
  return What::fault;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// A new generation, and its turn

void Engine::Machine::on(const EnvironmentChanged& event) {
  if (stopping()) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (runs_[id].awaiting_values) task_is_done(id);
  }
  const bool known = last_offer_ && last_offer_->snapshot->same_content(*event.snapshot);
  if (known && !event.asked && !event.again) return;
  last_offer_ = event;
  if (!snapshot()) return take_first_values(event);
  if (next_values_) supersede(*next_values_, event.snapshot->generation);
  next_values_ = event;
  next_values_at_.reset();
  if (rotation_ && rotation_->phase == RotationPhase::restarting) hurry_turn();
  show_waiting_values();
  // At once, before what waits for a task's values starts.
  if (rotation_ && rotation_->phase == RotationPhase::observing) advance_rotation();
  if (!rotation_) advance_rotation();
}

void Engine::Machine::take_first_values(const EnvironmentChanged& event) {
  put_in_force({event.snapshot, now_, {event.unlike_last_run.begin(), event.unlike_last_run.end()}});
  note_generation(
      What::generation_taken, snapshot()->generation,
      fmt::format("generation {} is taken: {} values", snapshot()->generation, snapshot()->values.size()));
  note_unlike_last_run({});
  show_held_keys();
  refuse_boot_without_values();
}

void Engine::Machine::supersede(const EnvironmentChanged& older, env::Generation newer) {
  ++view_.rotations[static_cast<std::size_t>(Outcome::superseded)];
  note_generation(What::generation_superseded, older.snapshot->generation,
                  fmt::format("generation {} is superseded by generation {} before its turn",
                              older.snapshot->generation, newer));
}

void Engine::Machine::show_waiting_values() {
  view_.waiting_values.reset();
  if (!next_values_) return;
  const env::Generation generation = next_values_->snapshot->generation;
  if (rotation_) {
    view_.waiting_values = {
        generation,
        fmt::format("the rotation of generation {} is under way", shown_rotation().generation),
        {}};
  } else if (next_values_at_) {
    view_.waiting_values = {generation, brake_cause_, next_values_at_};
  }
}

// Called until nothing follows any more. True: something changed, let it have its consequences.
bool Engine::Machine::advance_rotation() {
  if (stopping() || !snapshot()) return false;
  if (rotation_) return advance_phase();
  if (next_plan_) {
    const PlanPtr fresh = std::exchange(next_plan_, nullptr);
    take_plan(*fresh);
    return true;
  }
  if (retry_what_is_due()) return true;
  if (!next_values_ || (next_values_at_ && now_ < *next_values_at_)) return false;
  const EnvironmentChanged offer = *std::exchange(next_values_, std::nullopt);
  next_values_at_.reset();
  take_turn(offer);
  show_waiting_values();
  return true;
}

void Engine::Machine::take_turn(const EnvironmentChanged& offer) {
  const env::SnapshotPtr fresh = without_held(offer);
  std::string refusal = why_refused(*fresh);
  const bool same = fresh->same_content(*snapshot());
  if (same && !held_back_.empty())
    refusal = fmt::format("all that it changes is held back: {}", held_names());
  if (!refusal.empty()) return refuse(offer, *fresh, refusal);
  const bool unbraked = offer.asked || std::exchange(operator_waits_, false);
  if (const std::optional<Instant> until = unbraked ? std::nullopt : brake(*fresh)) {
    next_values_ = offer;
    next_values_at_ = until;
    note_generation(What::generation_waits, fresh->generation,
                    fmt::format("generation {} waits {}: {}", fresh->generation, duration_text(*until - now_),
                                brake_cause_));
    return;
  }
  begin_rotation(offer, fresh);
}

void Engine::Machine::refuse(const EnvironmentChanged& offer, const env::Snapshot& fresh,
                             const std::string& cause) {
  view_.rotation = RotationView{};
  RotationView& view = *view_.rotation;
  view.generation = offer.snapshot->generation;
  view.before = snapshot()->generation;
  view.keys = env::difference(*snapshot(), fresh);
  view.began = now_;
  view.switched = offer.switched;
  conclude(Outcome::refused, cause);
}

// How long the generation has to wait; nullopt: not at all.
std::optional<Instant> Engine::Machine::brake(const env::Snapshot& fresh) {
  std::vector<ServiceId> restarts;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    const bool follows = is_up(state(id)) && service(id).on_change == plan::OnChange::restart;
    if (follows && runs_[id].values && sees_other_values(id, fresh)) restarts.push_back(id);
  }
  const std::optional<StormBrake::Wait> wait = brake_.wait_of(restarts, now_);
  if (!wait) return std::nullopt;
  brake_cause_ = fmt::format(
      "{} was restarted for new values {} times within {}; what comes meanwhile is "
      "collected, `arizuko-init reload` takes it now",
      service(wait->service).name, wait->restarts, duration_text(rotation_window));
  return wait->until;
}

// ---------------------------------------------------------------------------------------------
// The end of it

void Engine::Machine::end_rotation(Outcome outcome) {
  const RotationView& view = shown_rotation();
  std::string cause = view.cause;
  if (outcome == Outcome::applied) {
    std::vector<std::string> names;
    for (const ServiceId id : rotation_->moved) names.push_back(service(id).name);
    cause = names.empty() ? "no running service had to be restarted"
                          : fmt::format("ready again with it after {}: {}",
                                        duration_text(view.all_ready.value_or(now_) - view.began),
                                        fmt::join(names, ", "));
    const Nanoseconds lived = now_ - view.all_ready.value_or(now_);
    if (!names.empty() && view.all_ready && lived < observed_for) {
      cause += fmt::format("; a newer one came after {} of the {} that it is watched", duration_text(lived),
                           duration_text(observed_for));
    }
    failed_.borne(*snapshot());
  }
  const std::set<std::string> blamed = rotation_->blamed;
  const bool rest = blamed.size() < view.keys.size();
  rotation_.reset();
  conclude(outcome, cause);
  if (outcome == Outcome::applied) forget_all_logins();
  show_held_keys();
  show_waiting_values();
  // What failed is held back by itself; the rest is taken without it.
  if (!blamed.empty() && rest && outcome != Outcome::interrupted && !next_values_)
    emit(ReadSources{ReadSources::For::rest});
}

void Engine::Machine::conclude(Outcome outcome, const std::string& cause) {
  RotationView& view = shown_rotation();
  view.outcome = outcome;
  view.cause = cause;
  view.ended = now_;
  ++view_.rotations[static_cast<std::size_t>(outcome)];
  const std::string stays = outcome == Outcome::refused ? ", the old values stay" : "";
  note_generation(note_of(outcome), view.generation,
                  fmt::format("generation {} is {}{}: {}", view.generation, to_text(outcome), stays, cause));
}

// The run ends: what is under way, or waits, has no other outcome any more.
void Engine::Machine::interrupt_rotation(const std::string& cause) {
  if (rotation_) {
    shown_rotation().cause = cause;
    end_rotation(Outcome::interrupted);
  }
  if (!next_values_) return;
  ++view_.rotations[static_cast<std::size_t>(Outcome::interrupted)];
  note_generation(What::generation_interrupted, next_values_->snapshot->generation,
                  fmt::format("generation {} is interrupted before its turn: {}",
                              next_values_->snapshot->generation, cause));
  next_values_.reset();
  next_values_at_.reset();
  view_.waiting_values.reset();
}

}  // namespace arizuko::engine
