// What people see of a service, made of what the engine knows of it. No rule reads it.
#include "machine.hpp"

namespace arizuko::engine {

namespace {

std::vector<ConditionView> shown(const std::vector<plan::Condition>& conditions, const Watches& watches,
                                 std::uint32_t first) {
  std::vector<ConditionView> views;
  views.reserve(conditions.size());
  for (std::uint32_t i = 0; i < conditions.size(); ++i) {
    const Answer answer = first + i < watches.answers.size() ? watches.answers[first + i] : Answer{};
    views.push_back({plan::to_text(conditions[i]), answer.is, answer.detail});
  }
  return views;
}

}  // namespace

void Engine::Machine::show_pod() {
  const bool over = pod_.state == PodState::ended;
  view_.state = pod_.state;
  view_.started = pod_.started;
  view_.since = pod_.since;
  view_.cause = pod_.cause;
  view_.start_waits_for = pod_.start_waits_for;
  view_.seeded = pod_.seeded;
  view_.opened = pod_.opened;
  view_.ready = pod_.ready;
  view_.stop_deadline = pod_.stop_deadline;
  view_.exit_code = over ? std::optional(pod_.exit_code) : std::nullopt;
  view_.verdict = over ? pod_.verdict : "";
}

void Engine::Machine::show_what_changed() {
  show_pod();
  for (const ServiceId id : changed_) show(id);
  changed_.clear();
}

void Engine::Machine::show(ServiceId id) {
  const Run& run = runs_[id];
  const plan::Service& what = service(id);
  ServiceView& view = view_.services[id];
  view.name = what.name;
  view.kind = what.kind;
  view.essential = what.essential;
  view.port = what.port;
  view.state = run.state;
  view.since = run.since;
  view.why = run.cause.why;
  view.cause = to_text(run.cause);
  view.waiting_for = run.waits.names;
  view.waiting_for_services = run.waits.services;
  view.pid = run.processes.pid;
  view.spawns = run.number;
  view.restarts = run.number > 0 ? run.number - 1 : 0;
  view.failures = run.restarts.counted;
  view.next_start = run.state == State::backoff ? run.due : std::nullopt;
  view.last_exit = run.processes.last_exit;
  view.last_start_why = run.given.because.why;
  view.last_start_cause = run.number > 0 ? to_text(run.given.because) : "";
  view.generation = run.given.generation;
  view.values_since = run.given.values_since;
  view.old_values = run.given.outdated;
  view.start_time = run.restarts.start_time;
  view.ready_at = run.restarts.ready_at;
  view.exits = run.processes.exits;
  view.readiness = shown(what.ready, run.watches, 0);
  view.liveness = shown(what.live, run.watches, watch_numbers(what).live);
}

}  // namespace arizuko::engine
