#include "generations.hpp"

#include <utility>

#include <fmt/format.h>

#include "arizuko/env/difference.hpp"
#include "values_text.hpp"

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

ValuesInForce as_in_force(const EnvironmentChanged& offer, env::SnapshotPtr taken, Instant now) {
  return {std::move(taken), now, {offer.unlike_last_run.begin(), offer.unlike_last_run.end()}};
}

RotationView record_of(const EnvironmentChanged& offer, const env::Snapshot& before,
                       const env::Snapshot& fresh, Instant now) {
  RotationView record;
  record.generation = fresh.generation;
  record.before = before.generation;
  record.keys = env::difference(before, fresh);
  record.began = now;
  record.switched = offer.switched;
  return record;
}

// They do not lose a value that they need.
std::vector<ServiceId> running_services(const RotatedServices& services) {
  std::vector<ServiceId> running;
  for (ServiceId id = 0; id < services.plan().services.size(); ++id) {
    const RotatedServices::Standing standing = services.standing(id);
    if (is_up(standing.state) && !standing.switched_off) running.push_back(id);
  }
  return running;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// A new generation, and its turn

bool Generations::offer(const EnvironmentChanged& event, RotatedServices& services) {
  const bool known = last_offer_ && last_offer_->snapshot->same_content(*event.snapshot);
  if (known && !event.asked && !event.again) return false;
  last_offer_ = event;
  changed_ = true;
  if (!in_force_.snapshot) {
    take_first(event, services);
    return true;
  }
  if (waiting_) {
    const env::Generation older = waiting_->offer.snapshot->generation;
    count(Outcome::superseded);
    services.note({.what = What::generation_superseded,
                   .cause = superseded_text(older, event.snapshot->generation),
                   .generation = older});
  }
  waiting_ = Waiting{event, {}, {}};
  if (rotation_) rotation_->newer_values_wait(services);
  return true;
}

void Generations::take_first(const EnvironmentChanged& event, RotatedServices& services) {
  put_in_force(as_in_force(event, event.snapshot, services.now()), services);
  services.note({.what = What::generation_taken,
                 .cause = taken_first_text(*event.snapshot),
                 .generation = event.snapshot->generation});
  tell_of_unlike_last_run({}, services);
}

void Generations::tell_of_unlike_last_run(const std::set<std::string>& known,
                                          RotatedServices& services) const {
  for (const std::string& key : in_force_.unlike_last_run) {
    if (known.contains(key) || held_.guarded().is_used(key)) continue;
    services.note({.what = What::value_unlike_last_run, .cause = unlike_last_run_text(key)});
  }
}

void Generations::put_in_force(ValuesInForce values, RotatedServices& services) {
  in_force_ = std::move(values);
  held_changed_ = true;
  services.values_changed();
}

void Generations::plan_waits() {
  if (rotation_) rotation_->plan_waits();
}

bool Generations::advance(RotatedServices& services) {
  if (!in_force_.snapshot) return false;
  if (rotation_) return advance_rotation(services);
  if (retry_what_is_due(services)) return true;
  if (!waiting_ || (waiting_->until && services.now() < *waiting_->until)) return false;
  changed_ = true;
  const EnvironmentChanged offer = std::exchange(waiting_, std::nullopt)->offer;
  take_turn(offer, services);
  return true;
}

void Generations::take_turn(const EnvironmentChanged& offer, RotatedServices& services) {
  const std::vector<ServiceId> running = running_services(services);
  const env::SnapshotPtr fresh = held_.take(offer, *in_force_.snapshot, running, services);
  held_changed_ = true;
  if (const std::optional<std::string> cause = why_refused(*fresh, running, services))
    return refuse(record_of(offer, *in_force_.snapshot, *fresh, services.now()), *cause, services);
  if (!has_to_wait(offer, *fresh, services)) begin(offer, fresh, services);
}

// Only what holding back a key does not mend: a service lacks a value that was not in force either.
std::optional<std::string> Generations::why_refused(const env::Snapshot& fresh,
                                                    const std::vector<ServiceId>& running,
                                                    const RotatedServices& services) const {
  if (!held_.values().empty() && fresh.same_content(*in_force_.snapshot))
    return all_held_text(held_.values());
  const std::vector<Lack> lacks = lacking(services.plan(), running, fresh);
  if (lacks.empty()) return std::nullopt;
  return lacking_text(services.plan(), lacks);
}

void Generations::refuse(RotationView record, const std::string& cause, RotatedServices& services) {
  last_ = std::move(record);
  conclude(Outcome::refused, cause, services);
}

bool Generations::has_to_wait(const EnvironmentChanged& offer, const env::Snapshot& fresh,
                              RotatedServices& services) {
  if (offer.asked || std::exchange(operator_waits_, false)) return false;
  const plan::Plan& plan = services.plan();
  std::vector<ServiceId> restarts;
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    const bool follows =
        plan.services[id].on_change == plan::OnChange::restart && is_up(services.standing(id).state);
    if (follows && services.would_see_others(id, fresh)) restarts.push_back(id);
  }
  const std::optional<RateLimit::Wait> wait = rate_limit_.wait_of(restarts, services.now());
  if (!wait) return false;
  waiting_ = Waiting{offer, wait->until, rate_limit_text(plan, *wait)};
  services.note({.what = What::generation_waits,
                 .cause = waits_text(fresh.generation, wait->until - services.now(), waiting_->cause),
                 .generation = fresh.generation});
  return true;
}

// ---------------------------------------------------------------------------------------------
// A rotation

void Generations::begin(const EnvironmentChanged& offer, const env::SnapshotPtr& fresh,
                        RotatedServices& services) {
  rotation_.emplace(record_of(offer, *in_force_.snapshot, *fresh, services.now()), fresh, in_force_,
                    services);
  put_in_force(as_in_force(offer, fresh, services.now()), services);
  services.note({.what = What::generation_taken,
                 .cause = taken_text(fresh->generation, rotation_->record().keys),
                 .generation = fresh->generation});
  tell_of_unlike_last_run(rotation_->before().unlike_last_run, services);
  rotation_->begin(services);
}

bool Generations::advance_rotation(RotatedServices& services) {
  const Rotation::Step step = rotation_->advance(services);
  if (std::holds_alternative<Rotation::AtRest>(step)) return false;
  changed_ = true;
  if (const auto* moved = std::get_if<Rotation::Moved>(&step); moved != nullptr && moved->restarted)
    rate_limit_.restarted(*moved->restarted, services.now());
  if (const auto* failed = std::get_if<Rotation::Failed>(&step))
    go_back(failed->culprit, failed->failure, services);
  if (const auto* ended = std::get_if<Rotation::Ended>(&step)) end_rotation(ended->outcome, services);
  return true;
}

bool Generations::takes_blame_for(ServiceId id, RotatedServices& services) {
  if (!rotation_) return false;
  changed_ = true;
  if (rotation_->blame_for(id, services) == Rotation::Blame::service) return false;
  services.start_again(id);
  go_back(id, services.told(id), services);
  return true;
}

void Generations::go_back(ServiceId culprit, const Cause& failure, RotatedServices& services) {
  const std::string& name = services.plan().services[culprit].name;
  const std::string cause = fmt::format("{}: {}", name, to_text(failure));
  const env::SnapshotPtr failed = in_force_.snapshot;
  rotation_->go_back(cause,
                     blamed_keys(services.plan(), services.dependencies(), culprit, rotation_->record().keys),
                     services);
  put_in_force(rotation_->before(), services);
  services.note({.what = What::generation_going_back,
                 .cause = going_back_text(failed->generation, in_force_.snapshot->generation, cause),
                 .generation = failed->generation,
                 .back_to = in_force_.snapshot->generation,
                 .culprit = culprit});
  held_.blame(rotation_->blamed(), not_borne_text(name, to_text(failure)), *failed, *in_force_.snapshot,
              services);
  rotation_->bring_back({.why = Why::rolled_back,
                         .names = {name},
                         .generation = failed->generation,
                         .because = std::make_shared<const Cause>(failure)},
                        services);
}

void Generations::end_rotation(Outcome outcome, RotatedServices& services) {
  std::string cause = rotation_->record().cause;
  if (outcome == Outcome::applied) {
    cause = applied_text(rotation_->record(), rotation_->names_of_moved(services.plan()), services.now());
    held_.borne(*in_force_.snapshot);
  }
  const bool rest =
      !rotation_->blamed().empty() && rotation_->blamed().size() < rotation_->record().keys.size();
  last_ = rotation_->record();
  rotation_.reset();
  conclude(outcome, cause, services);
  held_changed_ = true;
  if (outcome == Outcome::applied) {
    for (ServiceId id = 0; id < services.plan().services.size(); ++id) {
      if (services.standing(id).state == State::ready) forget_logins(id, services);
    }
  }
  // What failed is held back by itself; the rest is taken without it.
  if (rest && outcome != Outcome::interrupted && !waiting_)
    services.emit(ReadSources{ReadSources::For::rest});
}

void Generations::conclude(Outcome outcome, const std::string& cause, RotatedServices& services) {
  last_->outcome = outcome;
  last_->cause = cause;
  last_->ended = services.now();
  count(outcome);
  changed_ = true;
  services.note({.what = note_of(outcome), .cause = concluded_text(*last_), .generation = last_->generation});
}

void Generations::interrupt(const std::string& cause, RotatedServices& services) {
  changed_ = true;
  if (rotation_) {
    rotation_->interrupt(cause);
    end_rotation(Outcome::interrupted, services);
  }
  if (!waiting_) return;
  const env::Generation generation = std::exchange(waiting_, std::nullopt)->offer.snapshot->generation;
  count(Outcome::interrupted);
  services.note({.what = What::generation_interrupted,
                 .cause = interrupted_text(generation, cause),
                 .generation = generation});
}

}  // namespace arizuko::engine
