// What each event changes. The consequences follow in settle().
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "lateness.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

// Doubles up to 64 times this: 6.4 s.
constexpr std::chrono::milliseconds first_pause_of_trouble{100};

// The first that fails.
Cause never_live(const plan::Service& service, const Watches& watches) {
  const WatchNumbers numbers = watch_numbers(service);
  for (std::uint32_t watch = numbers.live; watch < numbers.creates; ++watch) {
    if (watches.answers[watch].is != ConditionView::Is::fails) continue;
    return {.why = Why::never_live,
            .names = {plan::to_text(service.live[watch - numbers.live])},
            .text = watches.answers[watch].detail};
  }
  return {.why = Why::never_live};
}

}  // namespace

bool Engine::Machine::is_current(RunId run) const {
  return run.service < runs_.size() && runs_[run.service].number == run.number;
}

void Engine::Machine::on(const Tick&) {}  // handle() looks at the timers after every event

void Engine::Machine::on(const Spawned& event) {
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
  const std::uint32_t conditions = watch_numbers(service(id)).live;
  for (std::uint32_t watch = 0; watch < conditions; ++watch) this->watch(id, watch);
}

void Engine::Machine::on(const SpawnFailed& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Run& run = change(id);
  if (!run.processes.spawn_pending) return;
  run.processes.spawn_pending = false;
  note(What::spawn_failed, id, event.reason);
  if (run.state == State::stopping) return run_is_over(id);
  enter_phase(id, Phase::none);
  run.restarts.failure = {.why = Why::not_spawned, .text = event.reason};
  // Whatever the reason, tried again soon, then less often: an exec that fails is no work for the machine.
  run.restarts.spawn_pause = first_pause_of_trouble * (1U << std::min(run.restarts.spawn_trouble, 6U));
  ++run.restarts.spawn_trouble;
  if (!event.passing) return recover(id);
  back_off(id, run.restarts.spawn_pause);  // the machine's trouble, not the service's: never given up
}

// What it was told to die of is no trouble.
What Engine::Machine::how_it_ended(ServiceId id, const ExitStatus& status) const {
  if (status.success()) return What::ended_well;
  const bool told = state(id) == State::stopping && runs_[id].phase == Phase::told;
  return told && status.signal == service(id).stop.signal ? What::ended_as_told : What::ended_badly;
}

void Engine::Machine::on(const Exited& event) {
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
  unwatch_all(id);

  if (run.state != State::stopping) {
    const bool task_ended_well = service(id).kind == plan::Kind::task && event.status.success();
    run.stop.next = task_ended_well ? Next::verify : Next::recover;
    run.restarts.failure = {.why = Why::ended, .status = event.status};
  }
  main_is_gone(id);
}

void Engine::Machine::on(const TreeEmpty& event) {
  if (!is_current(event.run)) return;
  Processes& processes = change(event.run.service).processes;
  if (processes.main_alive || !processes.leftovers) return;
  processes.leftovers = false;
  processes.leftovers_text.clear();
  run_is_over(event.run.service);
}

void Engine::Machine::on(const ConditionChanged& event) {
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
    if (!one_liveness_fails(id)) run.due.reset();
  } else if (held) {
    run.restarts.failure = {.why = Why::not_live, .names = {text}, .text = event.detail};
    stop(id, Next::recover, Order::at_once, run.restarts.failure);
  } else if (!run.due) {
    // It has not held yet: it gets the time of its allowed failures before it counts as dead.
    const plan::Condition& condition = service(id).live[event.watch - numbers.live];
    run.due = now() + condition.every * condition.failures;
  }
}

bool Engine::Machine::one_liveness_fails(ServiceId id) const {
  const WatchNumbers numbers = watch_numbers(service(id));
  const auto first = runs_[id].watches.answers.begin();
  return std::any_of(first + numbers.live, first + numbers.creates,
                     [](const Answer& each) { return each.is == ConditionView::Is::fails; });
}

void Engine::Machine::on(const InputRefused& event) {
  const bool plan = event.input == InputRefused::Input::plan;
  note_pod(plan ? What::plan_refused : What::values_refused,
           fmt::format("{}, but {} cannot be used, the old {}: {}", event.cause,
                       plan ? "the plan" : "its values", plan ? "one stays" : "ones stay", event.reason));
}

void Engine::Machine::on(const StopRequested& event) {
  ++pod_.stop_requests;
  if (pod_.stop_requests == 1) {
    if (!stopping()) {
      pod_.verdict = fmt::format("stopped as asked ({})", event.cause);
      if (!pod_.opened) tell_what_it_waited_for();
      stop_everything({.why = Why::stop_requested, .text = event.cause});
    }
    return;
  }
  if (pod_.stop_requests == 2) return hurry(event.cause);
  kill_everything(fmt::format("asked a third time ({})", event.cause));
}

// Who ends a pod that never got ready (a startup probe, an operator) leaves a message: it has to say why.
void Engine::Machine::tell_what_it_waited_for() {
  show_what_changed();
  const std::string why = what_keeps_it(view_, now());
  if (why.empty()) return;
  pod_.verdict += fmt::format("; it never became ready: {}", why);
  const auto first = std::ranges::find_if(view_.services, is_unwell);
  if (first != view_.services.end()) pod_.culprit = first->name;
}

void Engine::Machine::on(const StartWaits& event) {
  if (stopping() || values_.snapshot()) return;
  pod_.start_waits_for = event.cause;
  if (!event.cause.empty()) note_pod(What::start_waits, "the start waits: " + event.cause);
}

void Engine::Machine::on(const Remark& event) {
  if (event.cause.empty()) return;
  switch (event.tone) {
    case Remark::Tone::info: return note_pod(What::remark, event.cause);
    case Remark::Tone::warning: return note_pod(What::warning, event.cause);
  }
}

void Engine::Machine::on(const Command& event) {
  if (event.service >= runs_.size() || stopping()) return;
  const ServiceId id = event.service;
  Run& run = change(id);
  const Cause by{.why = Why::operator_asked, .text = event.by};
  switch (event.verb) {
    case Command::Verb::start:
      note(What::start_asked, id, fmt::format("start, by the {}", event.by));
      run.wishes.switched_off = false;
      if (state(id) == State::stopping && run.stop.next == Next::stay_off) {
        run.stop.next = Next::start_again;
        run.restarts.start_cause = by;
      }
      if (is_up(state(id)) || state(id) == State::waiting) return;
      run.restarts.record.clear();
      run.restarts.start_cause = by;
      enter(id, State::waiting, by);
      touch(id);
      return;
    case Command::Verb::stop:
      note(What::stop_asked, id, fmt::format("stop, by the {}", event.by));
      run.wishes.switched_off = true;
      if (is_up(state(id))) return stop_with_bound(id, Next::stay_off, by);
      enter(id, State::off, by);
      return;
    case Command::Verb::restart:
      note(What::restart_asked, id, fmt::format("restart, by the {}", event.by));
      run.wishes.switched_off = false;
      run.restarts.record.clear();
      if (is_up(state(id))) return stop_with_bound(id, Next::start_again, by);
      run.restarts.start_cause = by;
      enter(id, State::waiting, by);
      touch(id);
      return;
  }
}

void Engine::Machine::forgive_lateness() {
  for (const ServiceId id : agenda_.before(now() - in_time)) {
    const Phase phase = runs_[id].phase;
    if (service(id).kind != plan::Kind::service) continue;
    if (phase == Phase::settling || phase == Phase::running)
      engine::forgive_lateness(change(id).due, now(), service(id).ready_within);
    refresh_timer(id);
  }
  values_.forgive_lateness(now());
}

void Engine::Machine::fire_due_timers() {
  if (pod_.state == PodState::ended) return;
  if (pod_.kill_at && now() >= *pod_.kill_at) {
    pod_.kill_at.reset();
    kill_everything("the grace is nearly over");
    settle();
  }
  std::size_t rounds = 0;
  while (const std::optional<ServiceId> id = agenda_.due(now())) {
    if (too_many(rounds++, "the timers")) break;
    fire_timer(*id);
    touch(*id);
    settle();
  }
  if (pod_.stop_deadline && now() >= *pod_.stop_deadline) finish();
}

// The phase has lasted its time.
void Engine::Machine::fire_timer(ServiceId id) {
  Run& run = change(id);
  // A late Tick: a condition may have been due to be dropped before the time was over.
  if (run.phase == Phase::settling && service(id).kind == plan::Kind::service) consider_ready(id);
  if (!run.due || *run.due > now()) return;
  run.due.reset();
  switch (run.phase) {
    case Phase::none:
      run.restarts.start_cause = {.why = Why::backoff_over,
                                  .because = std::make_shared<const Cause>(run.restarts.failure)};
      return enter(id, State::waiting, {.why = Why::backoff_over});
    case Phase::looking:
    case Phase::spawning:
    case Phase::settling:
    case Phase::verifying: return too_late(id);
    case Phase::running:
      run.restarts.failure = never_live(service(id), run.watches);
      return stop(id, Next::recover, Order::at_once, run.restarts.failure);
    case Phase::rereading: return task_is_done(id);
    case Phase::queued: return;  // who it waits for has a time of its own
    case Phase::told:
    case Phase::killed: return kill_main(id);
    case Phase::leftovers:
    case Phase::leftovers_killed: return kill_leftovers(id);
  }
}

// It did not become ready, or a task did not end.
void Engine::Machine::too_late(ServiceId id) {
  Run& run = change(id);
  if (service(id).kind == plan::Kind::task) {
    run.restarts.failure = {.why = Why::not_ended, .time = service(id).ready_within};
  } else {
    run.restarts.failure = {
        .why = Why::not_ready, .names = run.waits.names, .time = service(id).ready_within};
  }
  stop(id, Next::recover, Order::at_once, run.restarts.failure);
}

}  // namespace arizuko::engine
