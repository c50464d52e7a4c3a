#include "rotation.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lateness.hpp"
#include "turns.hpp"

namespace arizuko::engine {

namespace {

// Beside the services' own times to stop and to be ready.
constexpr std::chrono::seconds margin_of_a_turn{10};

constexpr std::chrono::minutes longest_forgiven{1};

Cause values_changed() { return {.why = Why::values_changed}; }

}  // namespace

Rotation::Rotation(RotationView record, env::SnapshotPtr values, ValuesInForce before,
                   const RotatedServices& services)
    : record_(std::move(record)), values_(std::move(values)), before_(std::move(before)) {
  for (ServiceId id = 0; id < services.plan().services.size(); ++id) {
    if (services.standing(id).serves) serving_.insert(id);
  }
}

void Rotation::begin(RotatedServices& services) {
  const Dependencies& dependencies = services.dependencies();
  for (std::uint32_t rank = 0; rank < services.plan().services.size(); ++rank)
    enroll(dependencies.at_rank(rank), services);
  list_remaining(services);
  record_.services = record_.remaining;
}

// What serves waits for its turn; what does not has nothing to lose, and follows at once.
void Rotation::enroll(ServiceId id, RotatedServices& services) {
  const RotatedServices::Standing standing = services.standing(id);
  const bool affected = !standing.part || services.would_see_others(id, *values_);
  if (!affected) return;
  if (!serving_.contains(id)) {
    const std::vector<ServiceId> bound = services.up_and_bound(id);
    services.follow(id, values_changed());
    for (const ServiceId other : bound) {  // it was up and not ready: what is bound to it may have served
      if (services.standing(other).state == State::stopping && serving_.contains(other))
        await_return_of(other, services);
    }
    return;
  }
  if (standing.state == State::stopping)
    return await_return_of(id, services);  // it starts with the new values
  const plan::OnChange on_change = services.plan().services[id].on_change;
  if (!standing.part || on_change == plan::OnChange::restart) {
    pending_.insert(id);
  } else if (on_change == plan::OnChange::signal) {
    moved_.insert(id);  // it may die of what it reads
    services.follow(id, values_changed());
  }
}

// From now on it has to be ready again, and its failures count against the values.
void Rotation::await_return_of(ServiceId id, const RotatedServices& services) {
  const plan::Service& what = services.plan().services[id];
  pending_.erase(id);
  awaited_.insert(id);
  moved_.insert(id);
  const Nanoseconds time = what.stop.timeout + what.stop.leftovers + what.ready_within;
  if (hurried_) return;
  const Instant now = services.now();
  deadline_ = std::max(deadline_.value_or(now + margin_of_a_turn), now) + time;
}

// ---------------------------------------------------------------------------------------------
// Its steps

Rotation::Step Rotation::end(Outcome outcome) {
  outcome_ = outcome;
  return Ended{outcome};
}

Rotation::Step Rotation::advance(RotatedServices& services) {
  if (outcome_) return Ended{*outcome_};
  std::erase_if(awaited_, [&](ServiceId id) { return serves_again(id, services); });
  switch (record_.phase) {
    case RotationPhase::restarting: return advance_restarting(services);
    case RotationPhase::observing: return advance_observing(services);
    case RotationPhase::going_back: return advance_going_back(services);
  }
  return AtRest{};
}

Rotation::Step Rotation::advance_restarting(RotatedServices& services) {
  const auto blocking =
      std::ranges::find_if(awaited_, [&](ServiceId id) { return !waits_for_its_turn(id, services); });
  if (blocking != awaited_.end()) {
    if (!is_too_late(services.now())) return AtRest{};
    return Failed{*blocking, {.why = Why::not_ready_in_turn, .text = hurried_ ? "newer values wait" : ""}};
  }
  if (const auto next = next_in_turn(services.plan(), services.dependencies(), pending_)) {
    deadline_.reset();
    hurried_ = false;
    take_turn_of(*next, services);
    return Moved{next};
  }
  if (moved_.empty()) return end(Outcome::applied);
  record_.phase = RotationPhase::observing;
  record_.all_ready = services.now();
  deadline_ = services.now() + observed_for;
  return Moved{};
}

Rotation::Step Rotation::advance_observing(const RotatedServices& services) {
  if (!is_too_late(services.now()) && !newer_values_wait_ && !plan_waits_) return AtRest{};
  if (const std::optional<ServiceId> failing = failing_one(services)) {
    return Failed{*failing, services.told(*failing)};
  }
  return end(Outcome::applied);
}

Rotation::Step Rotation::advance_going_back(const RotatedServices& services) {
  // All of them at one moment: one that came back may be gone again.
  const bool all_serve_again =
      std::ranges::all_of(moved_, [&](ServiceId id) { return serves_again(id, services); });
  const bool too_late = is_too_late(services.now());
  if (!all_serve_again && !too_late) return AtRest{};
  if (too_late) record_.cause += "; and not every service came back in time";
  return end(too_late ? Outcome::rolled_back_in_part : Outcome::rolled_back);
}

// It has failed with its new values, and is on its way down.
std::optional<ServiceId> Rotation::failing_one(const RotatedServices& services) const {
  for (const ServiceId id : moved_) {
    const RotatedServices::Standing standing = services.standing(id);
    if (standing.failing && !standing.switched_off && services.runs_with(id, values_)) return id;
  }
  return std::nullopt;
}

bool Rotation::serves_again(ServiceId id, const RotatedServices& services) const {
  const RotatedServices::Standing standing = services.standing(id);
  if (standing.switched_off) return true;  // the operator's wish
  if (!standing.part) return standing.state == State::off;
  return standing.state == State::done ||
         (standing.state == State::ready && !services.would_see_others(id, *values_));
}

// It comes back when something it is bound to has been restarted, whose turn is still to come.
bool Rotation::waits_for_its_turn(ServiceId id, const RotatedServices& services) const {
  if (services.standing(id).state != State::waiting) return false;
  return std::ranges::any_of(services.plan().services[id].bound_to,
                             [this](ServiceId other) { return pending_.contains(other); });
}

void Rotation::take_turn_of(ServiceId id, RotatedServices& services) {
  const RotatedServices::Standing standing = services.standing(id);
  std::vector<ServiceId> all = is_up(standing.state) ? services.up_and_bound(id) : std::vector<ServiceId>{};
  all.push_back(id);
  for (const ServiceId each : all) {
    if (serving_.contains(each)) await_return_of(each, services);
  }
  list_remaining(services);
  if (newer_values_wait_) hurry(services);
  if (!is_up(standing.state)) return services.follow(id, values_changed());
  standing.part ? services.restart(id, values_changed()) : services.leave(id);
}

// ---------------------------------------------------------------------------------------------
// What comes between

void Rotation::newer_values_wait(const RotatedServices& services) {
  newer_values_wait_ = true;
  if (record_.phase == RotationPhase::restarting) hurry(services);
}

// A wrong password that its daemon does not end of would hold up every other rotation for the whole of
// `ready.within`.
void Rotation::hurry(const RotatedServices& services) {
  const plan::Plan& plan = services.plan();
  if (hurried_ || awaited_.empty() ||
      std::ranges::any_of(awaited_, [&](ServiceId id) { return is_indispensable(plan, id); }))
    return;
  Nanoseconds stopping{0};
  for (const ServiceId id : awaited_) {
    const State state = services.standing(id).state;
    if (!is_up(state) || state == State::starting) continue;
    const plan::StopPolicy& stop = plan.services[id].stop;
    stopping = std::max<Nanoseconds>(stopping, stop.timeout + stop.leftovers);
  }
  const Instant soon = services.now() + stopping + patience_while_others_wait;
  if (deadline_ && *deadline_ <= soon) return;
  deadline_ = soon;
  hurried_ = true;
}

void Rotation::started(ServiceId id, const RotatedServices& services) {
  if (!pending_.contains(id)) return;
  await_return_of(id, services);
  list_remaining(services);
}

void Rotation::forgive_lateness(Instant now) {
  if (record_.phase != RotationPhase::observing) engine::forgive_lateness(deadline_, now, longest_forgiven);
}

void Rotation::list_remaining(const RotatedServices& services) {
  const plan::Plan& plan = services.plan();
  record_.remaining.clear();
  for (std::uint32_t rank = 0; rank < plan.services.size(); ++rank) {
    const ServiceId id = services.dependencies().at_rank(rank);
    if (pending_.contains(id)) record_.remaining.push_back(plan.services[id].name);
  }
}

std::vector<std::string> Rotation::names_of_moved(const plan::Plan& plan) const {
  std::vector<std::string> names;
  for (const ServiceId id : moved_) names.push_back(plan.services[id].name);
  return names;
}

// ---------------------------------------------------------------------------------------------
// Going back

Rotation::Blame Rotation::blame_for(ServiceId id, const RotatedServices& services) {
  if (outcome_ || !moved_.contains(id) || services.standing(id).switched_off) return Blame::service;
  const bool observed = record_.phase == RotationPhase::observing && services.now() >= *deadline_;
  if (observed) return Blame::service;
  if (record_.phase == RotationPhase::going_back) {
    // Its own values do not help it either: the restart policy goes on from here.
    record_.cause += fmt::format("; and with the old values {}: {}", services.plan().services[id].name,
                                 to_text(services.last_failure(id)));
    outcome_ = Outcome::rolled_back_in_part;
    return Blame::service;
  }
  return services.runs_with(id, values_) ? Blame::values : Blame::service;
}

void Rotation::go_back(const std::string& cause, std::set<std::string> blamed,
                       const RotatedServices& services) {
  record_.phase = RotationPhase::going_back;
  record_.cause = cause;
  blamed_ = std::move(blamed);
  values_ = before_.snapshot;
  pending_.clear();
  list_remaining(services);
}

void Rotation::bring_back(const Cause& why, RotatedServices& services) {
  deadline_.reset();
  hurried_ = false;
  awaited_.clear();
  for (const ServiceId id : std::set<ServiceId>(moved_)) await_return_of(id, services);
  const Dependencies& dependencies = services.dependencies();
  for (std::uint32_t rank = 0; rank < services.plan().services.size(); ++rank)
    return_to_old_values(dependencies.at_rank(rank), why, services);
}

void Rotation::return_to_old_values(ServiceId id, const Cause& why, RotatedServices& services) {
  const bool moved = moved_.contains(id);
  const State state = services.standing(id).state;
  const bool serves_now = is_up(state) && state != State::stopping;
  if (moved && serves_now && services.would_see_others(id, *values_) &&
      services.plan().services[id].on_change == plan::OnChange::ignore) {
    services.restart(id, why);  // it got the new values only with what it is bound to
  } else {
    services.follow(id, why);
  }
  if (moved) services.explain_start(id, why);
}

}  // namespace arizuko::engine
