// The loop that lets one event have all its consequences.

#include <fmt/format.h>

#include "conditions.hpp"
#include "machine.hpp"
#include "plan_change.hpp"
#include "pod_rules.hpp"
#include "rotated.hpp"
#include "starting.hpp"
#include "timeouts.hpp"

namespace arizuko::engine {

Machine::Machine(PlanPtr plan, Bounds engine_bounds) : services(std::move(plan)), bounds(engine_bounds) {
  view.instance = services.plan()->pod.instance;
  show_what_changed();
}

bool Machine::advance_values() {
  if (pod.stops()) return false;
  if (next_plan && !values.is_rotating()) {
    PlanChange(*this).take_plan(*std::exchange(next_plan, nullptr));
    return true;
  }
  Rotated rotated(*this);
  return values.advance(rotated);
}

void Machine::fire_due_timers() {
  if (pod.state == PodState::ended) return;
  if (pod.kill_at && services.now() >= *pod.kill_at) {
    pod.kill_at.reset();
    PodRules(*this).kill_everything("the grace is nearly over");
    settle();
  }
  std::size_t rounds = 0;
  while (const std::optional<ServiceId> id = services.agenda().due(services.now())) {
    if (too_many(rounds++, "the timers")) break;
    Timeouts(*this).fire_timer(*id);
    services.touch(*id);
    settle();
  }
  if (pod.stop_deadline && services.now() >= *pod.stop_deadline) PodRules(*this).finish();
}

void Machine::handle(const Event& event, Instant at, std::vector<Action>& actions) {
  if (pod.state == PodState::ended) return;
  if (pod.started == Instant{}) {
    pod.started = pod.since = at;
    for (ServiceId id = 0; id < services.size(); ++id) services.change(id).since = at;
  }
  services.record().begin(at, actions);
  Timeouts(*this).forgive_lateness();
  take(event);
  std::size_t rounds = 0;
  do {
    settle();
    fire_due_timers();
  } while (!too_many(rounds++, "the steps of a rotation") && advance_values());
  PodRules(*this).refresh_pod();
  values.show(view, *services.plan(), services.now());
  show_what_changed();
  services.record().end();
}

void Machine::settle() {
  std::size_t rounds = 0;
  while (const std::optional<std::uint32_t> rank = services.agenda().next_touched()) {
    if (too_many(rounds++, "the consequences of an event")) return;
    const ServiceId id = services.dependencies().at_rank(*rank);
    Starting(*this).consider(id);
    services.refresh_timer(id);
  }
}

bool Machine::too_many(std::size_t rounds, const char* what) {
  if (pod.state == PodState::ended) return true;
  if (rounds < bounds.rounds_a_service * (services.size() + 1)) return false;
  PodRules(*this).end_by_fault(
      fmt::format("{} do not end: {} steps for {} services", what, rounds, services.size()));
  return true;
}

std::optional<Instant> Machine::deadline() const {
  if (pod.state == PodState::ended) return std::nullopt;
  std::optional<Instant> first = services.agenda().first_timer();
  const std::optional<Instant> of_values = pod.stops() ? std::nullopt : values.deadline();
  for (const std::optional<Instant>& at : {pod.kill_at, pod.stop_deadline, of_values}) {
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

}  // namespace arizuko::engine
