// What people see of a service, made of what the engine knows of it. No rule reads it.
#include "machine.hpp"

namespace arizuko::engine {

namespace {

void show_conditions(std::vector<ConditionView>& views, const std::vector<plan::Condition>& conditions,
                     const Watches& watches, std::uint32_t first) {
  if (views.empty()) {  // their texts stay until there is another plan
    for (const plan::Condition& condition : conditions)
      views.push_back({plan::to_text(condition), ConditionView::Is::unknown, ""});
  }
  for (std::uint32_t i = 0; i < views.size(); ++i) {
    const Answer answer = first + i < watches.answers.size() ? watches.answers[first + i] : Answer{};
    views[i].is = answer.is;
    views[i].detail = answer.detail;
  }
}

}  // namespace

void Machine::show_pod() {
  const bool over = pod.state == PodState::ended;
  view.state = pod.state;
  view.started = pod.started;
  view.since = pod.since;
  view.cause = pod.cause;
  view.start_waits_for = pod.start_waits_for;
  view.seeded = pod.seeded;
  view.opened = pod.opened;
  view.ready = pod.ready;
  view.stop_deadline = pod.stop_deadline;
  view.exit_code = over ? std::optional(pod.exit_code) : std::nullopt;
  view.verdict = over ? pod.verdict : "";
}

void Machine::show_what_changed() {
  show_pod();
  if (shown_plan != services.plan()) {
    shown_plan = services.plan();
    view.services.assign(services.size(), {});
  }
  for (const ServiceId id : services.take_changed()) show(id);
}

void Machine::show(ServiceId id) {
  const Run& run = services.run(id);
  const plan::Service& what = services.service(id);
  ServiceView& seen = view.services[id];
  seen.name = what.name;
  seen.kind = what.kind;
  seen.essential = what.essential;
  seen.port = what.port;
  seen.state = run.state;
  seen.since = run.since;
  seen.why = run.cause.why;
  seen.cause = to_text(run.cause);
  seen.waiting_for = run.waits.names;
  seen.waiting_for_services = run.waits.services;
  seen.run.pid = run.processes.pid;
  seen.runs.spawns = run.number;
  seen.runs.restarts = run.number > 0 ? run.number - 1 : 0;
  seen.runs.failures = run.restarts.counted;
  seen.runs.next_start = run.state == State::backoff ? run.due : std::nullopt;
  seen.runs.last_exit = run.processes.last_exit;
  seen.run.last_start_why = run.given.because.why;
  seen.run.last_start_cause = run.number > 0 ? to_text(run.given.because) : "";
  seen.run.generation = run.given.generation;
  seen.run.values_since = run.given.values_since;
  seen.run.old_values = run.given.outdated;
  seen.run.start_time = run.restarts.start_time;
  seen.run.ready_at = run.restarts.ready_at;
  seen.runs.exits = run.processes.exits;
  show_conditions(seen.readiness, what.ready, run.watches, 0);
  show_conditions(seen.liveness, what.live, run.watches, watch_numbers(what).live);
}

}  // namespace arizuko::engine
