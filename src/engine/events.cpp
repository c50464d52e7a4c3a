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
Cause never_live(const std::vector<ConditionView>& conditions) {
  const auto found = std::ranges::find(conditions, ConditionView::Is::fails, &ConditionView::is);
  if (found == conditions.end()) return {.why = Why::never_live};
  return {.why = Why::never_live, .names = {found->text}, .text = found->detail};
}

}  // namespace

bool Engine::Machine::is_current(RunId run) const {
  return run.service < runs_.size() && runs_[run.service].number == run.number;
}

void Engine::Machine::on(const Tick&) {}  // handle() looks at the timers after every event

void Engine::Machine::on(const Spawned& event) {
  if (!is_current(event.run)) return;
  Runtime& run = runs_[event.run.service];
  if (!run.spawn_pending) return;
  run.spawn_pending = false;
  run.spawn_trouble = 0;
  run.spawn_pause = {};
  run.main_alive = true;
  run.spawned_at = now_;
  ServiceView& view = shown(event.run.service);
  view.pid = event.pid;
  note(What::spawned, event.run.service, fmt::format("pid {}, because {}", event.pid, view.last_start_cause));
  touch(event.run.service);
  if (state(event.run.service) == State::stopping) return;
  run.start_deadline = now_ + service(event.run.service).ready_within;
  const std::uint32_t conditions = watch_numbers(service(event.run.service)).live;
  for (std::uint32_t watch = 0; watch < conditions; ++watch) {
    this->watch(event.run.service, watch);
  }
}

void Engine::Machine::on(const SpawnFailed& event) {
  if (!is_current(event.run)) return;
  Runtime& run = runs_[event.run.service];
  if (!run.spawn_pending) return;
  run.spawn_pending = false;
  note(What::spawn_failed, event.run.service, event.reason);
  if (state(event.run.service) == State::stopping) return run_is_over(event.run.service);
  run.start_deadline.reset();
  run.failure = {.why = Why::not_spawned, .text = event.reason};
  // Whatever the reason, tried again soon, then less often: an exec that fails is no work for the machine.
  run.spawn_pause = first_pause_of_trouble * (1U << std::min(run.spawn_trouble, 6U));
  ++run.spawn_trouble;
  if (!event.passing) return recover(event.run.service);
  back_off(event.run.service, run.spawn_pause);  // the machine's trouble, not the service's: never given up
}

// What it was told to die of is no trouble.
What Engine::Machine::how_it_ended(ServiceId id, const ExitStatus& status) const {
  if (status.success()) return What::ended_well;
  const bool told = state(id) == State::stopping && runs_[id].phase == StopPhase::main;
  return told && status.signal == service(id).stop.signal ? What::ended_as_told : What::ended_badly;
}

void Engine::Machine::on(const Exited& event) {
  if (!is_current(event.run)) return;
  Runtime& run = runs_[event.run.service];
  if (!run.main_alive) return;
  const ServiceId id = event.run.service;
  run.main_alive = false;
  run.leftovers = !event.leftovers.empty();
  run.leftovers_text = event.leftovers;
  run.live_deadline.reset();
  ServiceView& view = shown(id);
  view.pid.reset();
  view.last_exit = event.status;
  ++view.exits[event.status.signal ? signal_name(*event.status.signal)
                                   : fmt::format("{}", event.status.code.value_or(0))];
  const What how = how_it_ended(id, event.status);
  // Why it failed, nobody knows better than itself; but for who was killed from outside.
  run.last_words.clear();
  if (how == What::ended_badly && event.status.signal != sigkill && !event.last_words.empty())
    run.last_words = event.last_words;
  note(how, id,
       fmt::format("it {}{}{}", to_text(event.status), run.leftovers ? ", leaving " + event.leftovers : "",
                   run.last_words.empty() ? "" : ", its last words: " + run.last_words));
  unwatch_all(id);

  if (state(id) != State::stopping) {
    const bool task_ended_well = service(id).kind == plan::Kind::task && event.status.success();
    run.next = task_ended_well ? Next::verify : Next::recover;
    run.failure = {.why = Why::ended, .status = event.status};
    run.start_deadline.reset();
    enter_phase(id, StopPhase::main);
  }
  main_is_gone(id);
}

void Engine::Machine::on(const TreeEmpty& event) {
  if (!is_current(event.run)) return;
  Runtime& run = runs_[event.run.service];
  if (run.main_alive || !run.leftovers) return;
  run.leftovers = false;
  run.leftovers_text.clear();
  run_is_over(event.run.service);
}

void Engine::Machine::on(const ConditionChanged& event) {
  if (!is_current(event.run)) return;
  const ServiceId id = event.run.service;
  Runtime& run = runs_[id];
  if (!run.watching.contains(event.watch)) return;  // it was under way when the watch ended
  ConditionView::Is& is = run.watched[event.watch];
  const bool held = is == ConditionView::Is::holds;
  is = event.holds ? ConditionView::Is::holds : ConditionView::Is::fails;
  touch(id);

  const WatchNumbers numbers = watch_numbers(service(id));
  if (event.watch >= numbers.creates) return;
  const bool readiness = event.watch < numbers.live;
  ServiceView& view = shown(id);
  ConditionView& shown_condition =
      readiness ? view.readiness[event.watch] : view.liveness[event.watch - numbers.live];
  shown_condition.is = is;
  shown_condition.detail = event.holds ? "" : event.detail;
  if (held != event.holds) {
    note(event.holds ? What::condition_holds : What::condition_ceased, id,
         fmt::format("{} {}{}", shown_condition.text, event.holds ? "holds" : "ceased to hold",
                     event.holds || event.detail.empty() ? "" : ": " + event.detail));
  }
  if (readiness || !run.main_alive) return;

  if (event.holds) {
    const auto fails = [](ConditionView::Is each) { return each == ConditionView::Is::fails; };
    const auto first = run.watched.begin();
    if (std::none_of(first + numbers.live, first + numbers.creates, fails)) run.live_deadline.reset();
  } else if (held) {
    run.failure = {.why = Why::not_live, .names = {shown_condition.text}, .text = event.detail};
    stop(id, Next::recover, Order::at_once, run.failure);
  } else if (!run.live_deadline) {
    // It has not held yet: it gets the time of its allowed failures before it counts as dead.
    const plan::Condition& condition = service(id).live[event.watch - numbers.live];
    run.live_deadline = now_ + condition.every * condition.failures;
  }
}

void Engine::Machine::on(const InputRefused& event) {
  const bool plan = event.input == InputRefused::Input::plan;
  note_pod(plan ? What::plan_refused : What::values_refused,
           fmt::format("{}, but {} cannot be used, the old {}: {}", event.cause,
                       plan ? "the plan" : "its values", plan ? "one stays" : "ones stay", event.reason));
}

void Engine::Machine::on(const StopRequested& event) {
  ++stop_requests_;
  if (stop_requests_ == 1) {
    if (!stopping()) {
      verdict_ = fmt::format("stopped as asked ({})", event.cause);
      if (!view_.opened) tell_what_it_waited_for();
      stop_everything({.why = Why::stop_requested, .text = event.cause});
    }
    return;
  }
  if (stop_requests_ == 2) return hurry(event.cause);
  kill_everything(fmt::format("asked a third time ({})", event.cause));
}

// Who ends a pod that never got ready (a startup probe, an operator) leaves a message: it has to say why.
void Engine::Machine::tell_what_it_waited_for() {
  const std::string why = what_keeps_it(view_, now_);
  if (why.empty()) return;
  verdict_ += fmt::format("; it never became ready: {}", why);
  const auto first = std::ranges::find_if(view_.services, is_unwell);
  if (first != view_.services.end()) culprit_ = first->name;
}

void Engine::Machine::on(const StartWaits& event) {
  if (stopping() || values_.snapshot()) return;
  view_.start_waits_for = event.cause;
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
  Runtime& run = runs_[id];
  const Cause by{.why = Why::operator_asked, .text = event.by};
  switch (event.verb) {
    case Command::Verb::start:
      note(What::start_asked, id, fmt::format("start, by the {}", event.by));
      run.switched_off = false;
      if (state(id) == State::stopping && run.next == Next::stay_off) {
        run.next = Next::start_again;
        run.start_cause = by;
      }
      if (is_up(state(id)) || state(id) == State::waiting) return;
      run.failures.clear();
      run.next_start.reset();
      run.start_cause = by;
      enter(id, State::waiting, by);
      touch(id);
      return;
    case Command::Verb::stop:
      note(What::stop_asked, id, fmt::format("stop, by the {}", event.by));
      run.switched_off = true;
      run.next_start.reset();
      if (is_up(state(id))) return stop_with_bound(id, Next::stay_off, by);
      enter(id, State::off, by);
      return;
    case Command::Verb::restart:
      note(What::restart_asked, id, fmt::format("restart, by the {}", event.by));
      run.switched_off = false;
      run.failures.clear();
      if (is_up(state(id))) return stop_with_bound(id, Next::start_again, by);
      run.next_start.reset();
      run.start_cause = by;
      enter(id, State::waiting, by);
      touch(id);
      return;
  }
}

void Engine::Machine::forgive_lateness() {
  for (auto due = timers_.begin(); due != timers_.end() && now_ - due->first > in_time;) {
    const ServiceId id = (due++)->second;  // its timer may move
    Runtime& run = runs_[id];
    if (!run.main_alive || service(id).kind != plan::Kind::service) continue;
    const Nanoseconds full_time = service(id).ready_within;
    if (state(id) == State::starting) engine::forgive_lateness(run.start_deadline, now_, full_time);
    engine::forgive_lateness(run.live_deadline, now_, full_time);
    refresh_timer(id);
  }
  values_.forgive_lateness(now_);
}

void Engine::Machine::fire_due_timers() {
  if (view_.state == PodState::ended) return;
  if (kill_at_ && now_ >= *kill_at_) {
    kill_at_.reset();
    kill_everything("the grace is nearly over");
    settle();
  }
  std::size_t rounds = 0;
  while (!timers_.empty() && timers_.begin()->first <= now_ && !too_many(rounds++, "the timers")) {
    const ServiceId id = timers_.begin()->second;
    fire_timer(id);
    touch(id);
    settle();
  }
  if (view_.stop_deadline && now_ >= *view_.stop_deadline) finish();
}

void Engine::Machine::fire_timer(ServiceId id) {
  Runtime& run = runs_[id];
  if (run.phase_deadline && *run.phase_deadline <= now_) {
    run.phase_deadline.reset();
    on_stop_deadline(id);
  }
  if (run.next_start && *run.next_start <= now_) {
    run.start_cause = {.why = Why::backoff_over, .because = std::make_shared<const Cause>(run.failure)};
    enter(id, State::waiting, {.why = Why::backoff_over});
  }
  if (run.live_deadline && *run.live_deadline <= now_) {
    run.live_deadline.reset();
    run.failure = never_live(shown(id).liveness);
    stop(id, Next::recover, Order::at_once, run.failure);
  }
  if (run.awaiting_values && run.start_deadline && *run.start_deadline <= now_) return task_is_done(id);
  // A late Tick: a condition may have been due to be dropped before the time was over.
  if (run.main_alive && service(id).kind == plan::Kind::service && state(id) == State::starting)
    consider_ready(id);
  if (run.start_deadline && *run.start_deadline <= now_) {
    run.start_deadline.reset();
    if (service(id).kind == plan::Kind::task) {
      run.failure = {.why = Why::not_ended, .time = service(id).ready_within};
    } else {
      run.failure = {.why = Why::not_ready, .names = shown(id).waiting_for, .time = service(id).ready_within};
    }
    stop(id, Next::recover, Order::at_once, run.failure);
  }
}

}  // namespace arizuko::engine
