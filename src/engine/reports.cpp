// What the world tells of a run.
#include <algorithm>

#include <fmt/format.h>

#include "conditions.hpp"
#include "recovery.hpp"
#include "reports.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

namespace {

// Doubles up to 64 times this: 6.4 s.
constexpr std::chrono::milliseconds first_pause_of_trouble{100};

}  // namespace

void Reports::on(const Spawned& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Run& run = change(id);
  if (!run.processes.spawn_pending) return;
  run.processes.spawn_pending = false;
  run.restarts.spawn_trouble = 0;
  run.restarts.spawn_pause = {};
  run.processes.main_alive = true;
  run.processes.spawned_at = now();
  run.processes.pid = event.pid;
  note(What::spawned, id, fmt::format("pid {}, because {}", event.pid, to_text(run.given.because)));
  touch(id);
  if (run.state == State::stopping) return;
  enter_phase(id, Phase::settling, now() + service(id).ready_within);
  const std::uint32_t count = watch_numbers(service(id)).live;
  for (std::uint32_t watch = 0; watch < count; ++watch) conditions().watch(id, watch);
}

void Reports::on(const SpawnFailed& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Run& run = change(id);
  if (!run.processes.spawn_pending) return;
  run.processes.spawn_pending = false;
  note(What::spawn_failed, id, event.reason);
  if (run.state == State::stopping) return stopping().run_is_over(id);
  enter_phase(id, Phase::none);
  run.restarts.failure = {.why = Why::not_spawned, .text = event.reason};
  // Whatever the reason, tried again soon, then less often: an exec that fails is no work for the machine.
  run.restarts.spawn_pause = first_pause_of_trouble * (1U << std::min(run.restarts.spawn_trouble, 6U));
  ++run.restarts.spawn_trouble;
  if (!event.passing) return recovery().recover(id);
  recovery().back_off(id,
                      run.restarts.spawn_pause);  // the machine's trouble, not the service's: never given up
}

// What it was told to die of is no trouble.
What Reports::how_it_ended(ServiceId id, const ExitStatus& status) const {
  if (status.success()) return What::ended_well;
  const bool told = state(id) == State::stopping && services_.run(id).phase == Phase::told;
  return told && status.signal == service(id).stop.signal ? What::ended_as_told : What::ended_badly;
}

void Reports::on(const Exited& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Run& run = change(id);
  Processes& processes = run.processes;
  if (!processes.main_alive) return;
  processes.main_alive = false;
  processes.leftovers = !event.leftovers.empty();
  processes.leftovers_text = event.leftovers;
  processes.pid.reset();
  processes.last_exit = event.status;
  ++processes.exits[event.status.signal ? signal_name(*event.status.signal)
                                        : fmt::format("{}", event.status.code.value_or(0))];
  const What how = how_it_ended(id, event.status);
  // Why it failed, nobody knows better than itself; but for who was killed from outside.
  processes.last_words.clear();
  if (how == What::ended_badly && event.status.signal != sigkill) processes.last_words = event.last_words;
  note(how, id,
       fmt::format("it {}{}{}", to_text(event.status),
                   processes.leftovers ? ", leaving " + event.leftovers : "",
                   processes.last_words.empty() ? "" : ", its last words: " + processes.last_words));
  conditions().unwatch_all(id);

  if (run.state != State::stopping) {
    const bool task_ended_well = service(id).kind == plan::Kind::task && event.status.success();
    run.stop.next = task_ended_well ? Next::verify : Next::recover;
    run.restarts.failure = {.why = Why::ended, .status = event.status};
  }
  stopping().main_is_gone(id);
}

void Reports::on(const TreeEmpty& event) {
  if (!is_current(event.run)) return;
  Processes& processes = change(event.run.service).processes;
  if (processes.main_alive || !processes.leftovers) return;
  processes.leftovers = false;
  processes.leftovers_text.clear();
  stopping().run_is_over(event.run.service);
}

void Reports::on(const ConditionChanged& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Run& run = change(id);
  if (!run.watches.awaited.contains(event.watch)) return;  // it was under way when the watch ended
  Answer& answer = run.watches.answers[event.watch];
  const bool held = answer.is == ConditionView::Is::holds;
  answer =
      event.holds ? Answer{ConditionView::Is::holds, ""} : Answer{ConditionView::Is::fails, event.detail};
  touch(id);

  const WatchNumbers numbers = watch_numbers(service(id));
  if (event.watch >= numbers.creates) return;
  const std::string text = plan::to_text(watched_condition(service(id), event.watch));
  if (held != event.holds) {
    note(event.holds ? What::condition_holds : What::condition_ceased, id,
         fmt::format("{} {}{}", text, event.holds ? "holds" : "ceased to hold",
                     event.holds || event.detail.empty() ? "" : ": " + event.detail));
  }
  if (event.watch < numbers.live || !run.processes.main_alive) return;

  if (event.holds) {
    if (!conditions().one_liveness_fails(id)) run.due.reset();
  } else if (held) {
    run.restarts.failure = {.why = Why::not_live, .names = {text}, .text = event.detail};
    stopping().stop(id, Next::recover, Stopping::Order::at_once, run.restarts.failure);
  } else if (!run.due) {
    // It has not held yet: it gets the time of its allowed failures before it counts as dead.
    const plan::Condition& condition = service(id).live[event.watch - numbers.live];
    run.due = now() + condition.every * condition.failures;
  }
}

}  // namespace arizuko::engine
