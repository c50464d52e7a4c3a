// The view, the history, the timers, and the loop that lets one change have all its consequences.
#include <algorithm>

#include <fmt/format.h>

#include "machine.hpp"

namespace arizuko::engine {

Engine::Machine::Machine(PlanPtr plan, Bounds bounds)
    : plan_(std::move(plan)),
      dependencies_(*plan_),
      runs_(plan_->services.size()),
      bounds_(bounds),
      agenda_(plan_->services.size()) {
  view_.instance = plan_->pod.instance;
  view_.services.resize(runs_.size());
  for (ServiceId id = 0; id < runs_.size(); ++id) change(id);
  show_what_changed();
  list_tasks();
  refresh_chances();
}

void Engine::Machine::list_tasks() {
  tasks_.clear();
  for (ServiceId id = 0; id < plan_->services.size(); ++id) {
    if (service(id).kind == plan::Kind::task) tasks_.push_back(id);
  }
}

void Engine::Machine::handle(const Event& event, Instant at, std::vector<Action>& actions) {
  if (pod_.state == PodState::ended) return;
  if (pod_.started == Instant{}) {
    pod_.started = pod_.since = at;
    for (ServiceId id = 0; id < runs_.size(); ++id) change(id).since = at;
  }
  record_.begin(at, actions);
  forgive_lateness();
  std::visit([this](const auto& each) { on(each); }, event);
  std::size_t rounds = 0;
  do {
    settle();
    fire_due_timers();
  } while (!too_many(rounds++, "the steps of a rotation") && advance_values());
  refresh_pod();
  values_.show(view_, *plan_, now());
  show_what_changed();
  record_.end();
}

void Engine::Machine::enter(ServiceId id, State to, const Cause& cause) {
  Run& run = change(id);
  const State from = std::exchange(run.state, to);
  run.cause = cause;
  run.waits = {};
  if (from == to) return;
  if (from == State::backoff) run.due.reset();
  run.since = now();
  record_.note({.what = What::state_changed,
                .service = service(id).name,
                .from = from,
                .to = to,
                .cause = to_text(run.cause),
                .why = run.cause.why,
                .origin = origin(run.cause)});
  touch(id);
  touch_neighbours(id);
  if (from == State::ready) forgive_dependents(id);
}

void Engine::Machine::wait_for_services(ServiceId id, std::vector<ServiceId> others) {
  Waits waits;
  for (const ServiceId other : others) waits.names.push_back(service(other).name);
  waits.services = std::move(others);
  change(id).waits = std::move(waits);
}

void Engine::Machine::wait_for_conditions(ServiceId id) {
  Run& run = change(id);
  run.waits = {};
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t watch = 0; watch < ready.size(); ++watch) {
    if (!run.watches.open(watch)) continue;
    const std::string& detail = run.watches.answers[watch].detail;
    const std::string text = plan::to_text(ready[watch]);
    run.waits.names.push_back(detail.empty() ? text : fmt::format("{} ({})", text, detail));
  }
}

void Engine::Machine::note(What what, ServiceId id, std::string cause) {
  record_.note({.what = what, .service = service(id).name, .cause = std::move(cause)});
}

void Engine::Machine::note_pod(What what, std::string cause) { note_generation(what, 0, std::move(cause)); }

// A note of one generation; 0: of the pod.
void Engine::Machine::note_generation(What what, env::Generation generation, std::string cause) {
  record_.note({.what = what, .cause = std::move(cause), .generation = generation});
}

void Engine::Machine::touch(ServiceId id) { agenda_.touch(dependencies_.rank(id)); }

// Whoever decides by this service's state: what comes after it, and what looks through it (had_its_chance);
// and what waits for it to stop.
void Engine::Machine::touch_neighbours(ServiceId id) {
  refresh_chance(id);
  if (queued_ > 0) touch_what_waits_to_stop(id);
}

// Up to the next one that is being stopped itself: what is above that waits for that one (goes_after).
void Engine::Machine::touch_what_waits_to_stop(ServiceId id) {
  std::vector<ServiceId> path = {id};
  std::vector<bool> seen(runs_.size(), false);
  while (!path.empty()) {
    const ServiceId at = path.back();
    path.pop_back();
    for (const ServiceId other : dependencies_.prerequisites(at)) {
      if (seen[other]) continue;
      seen[other] = true;
      if (runs_[other].phase == Phase::queued) touch(other);
      if (!is_being_stopped(other)) path.push_back(other);
    }
  }
}

void Engine::Machine::settle() {
  std::size_t rounds = 0;
  while (const std::optional<std::uint32_t> rank = agenda_.next_touched()) {
    if (too_many(rounds++, "the consequences of an event")) return;
    const ServiceId id = dependencies_.at_rank(*rank);
    consider(id);
    refresh_timer(id);
  }
}

// Also true once the run has ended by it: then nothing more follows.
bool Engine::Machine::too_many(std::size_t rounds, const char* what) {
  if (pod_.state == PodState::ended) return true;
  if (rounds < bounds_.rounds_a_service * (runs_.size() + 1)) return false;
  end_by_fault(fmt::format("{} do not end: {} steps for {} services", what, rounds, runs_.size()));
  return true;
}

std::optional<Instant> Engine::Machine::timer_of(ServiceId id) const {
  const Run& run = runs_[id];
  std::optional<Instant> first = run.due;
  if (run.phase != Phase::settling || service(id).kind != plan::Kind::service) return first;
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t watch = 0; watch < ready.size(); ++watch) {
    if (!ready[watch].wait || !run.watches.open(watch)) continue;
    const Instant dropped = run.processes.spawned_at + *ready[watch].wait;
    if (!first || dropped < *first) first = dropped;
  }
  return first;
}

void Engine::Machine::refresh_timer(ServiceId id) { agenda_.set_timer(id, timer_of(id)); }

std::optional<Instant> Engine::Machine::deadline() const {
  if (pod_.state == PodState::ended) return std::nullopt;
  std::optional<Instant> first = agenda_.first_timer();
  const std::optional<Instant> of_values = stopping() ? std::nullopt : values_.deadline();
  for (const std::optional<Instant>& at : {pod_.kill_at, pod_.stop_deadline, of_values}) {
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

}  // namespace arizuko::engine
