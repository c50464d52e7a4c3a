#include "invariants.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::sim {

namespace {

using std::chrono::seconds;

constexpr int sigkill = 9;

bool runs(State state) {
  return state == State::starting || state == State::ready || state == State::unready;
}

// Which states may follow which: the table of docs/engine.md.
bool may_follow(State from, State to) {
  switch (to) {
    case State::starting:
      return from == State::waiting || from == State::blocked || from == State::off ||
             from == State::stopping;
    case State::ready: return from == State::starting || from == State::unready;
    case State::unready: return from == State::ready;
    case State::stopping: return runs(from);
    case State::backoff:
    case State::failed: return is_up(from);
    case State::done: return is_up(from);
    case State::blocked: return from == State::waiting || from == State::off;
    case State::waiting:
    case State::off: return true;
  }
  return false;
}

// Stopped because it failed: at once, without the order of a planned stop.
bool is_failure(const std::string& cause) {
  return cause.starts_with("its liveness") || cause.starts_with("it was not ready") ||
         cause.starts_with("it did not end");
}

bool contains(const std::vector<ServiceId>& list, ServiceId id) {
  return std::ranges::find(list, id) != list.end();
}

}  // namespace

Invariants::Invariants(const Engine& engine) : plan_(engine.plan()), shadows_(plan_->services.size()) {}

void Invariants::broken(ServiceId id, const std::string& sentence) const {
  throw Broken(fmt::format("{}: {}", service(id).name, sentence));
}

bool Invariants::part(ServiceId id) const {
  return service(id).enabled && taken_ && env::enabled(service(id), *taken_);
}

bool Invariants::serving(ServiceId id) const {
  const State state = shadows_[id].state;
  return state == State::ready || state == State::done || (state == State::off && !part(id));
}

bool Invariants::gate_is_down(ServiceId id) const {
  return std::ranges::any_of(service(id).after, [this](ServiceId other) { return !serving(other); });
}

// It is not on its way: nothing to wait for.
bool Invariants::had_its_chance(ServiceId id) const {
  switch (shadows_[id].state) {
    case State::starting:
    case State::stopping: return false;
    case State::waiting:
      return std::ranges::any_of(
          service(id).after, [this](ServiceId other) { return !serving(other) && had_its_chance(other); });
    case State::off:
    case State::blocked:
    case State::ready:
    case State::unready:
    case State::backoff:
    case State::failed:
    case State::done: return true;
  }
  return true;
}

// Everything that comes after `id` (or is bound to it), near and far.
std::vector<ServiceId> Invariants::reached(ServiceId id, bool bound_only) const {
  std::vector<ServiceId> list = {id};
  for (std::size_t next = 0; next < list.size(); ++next) {
    for (ServiceId other = 0; other < plan_->services.size(); ++other) {
      const plan::Service& each = service(other);
      const bool linked =
          contains(each.bound_to, list[next]) ||
          (!bound_only && (contains(each.after, list[next]) || contains(each.after_tried, list[next])));
      if (linked && !contains(list, other)) list.push_back(other);
    }
  }
  list.erase(list.begin());
  return list;
}

// SIGKILL may come before its time: an operator hurries, or the grace is nearly over.
bool Invariants::no_time_left() const {
  if (stop_requests_ >= 2) return true;
  const Nanoseconds grace = plan_->pod.grace;
  return stopping_since_ && now_ >= *stopping_since_ + grace - std::min<Nanoseconds>(seconds(2), grace / 5);
}

// ---------------------------------------------------------------------------------------------
// The step

void Invariants::before(const Engine& engine, const Event& event) {
  if (const auto* values = std::get_if<EnvironmentChanged>(&event)) take_environment(*values, engine);
}

// Which services new values may stop: those that see another environment, those that are not part any
// more, and what is bound to one of them.
void Invariants::take_environment(const EnvironmentChanged& event, const Engine&) {
  may_stop_.clear();
  offered_[event.snapshot->generation] = event.snapshot;
  if (stopping_since_ || ended_ || (taken_ && taken_->values == event.snapshot->values)) return;
  if (taken_) {
    for (ServiceId id = 0; id < shadows_.size(); ++id) {
      const Shadow& run = shadows_[id];
      const plan::Service& what = service(id);
      const bool finishing = run.task_done_said || run.switched_off;
      if (!is_up(run.state) || finishing || !what.enabled || !env::enabled(what, *event.snapshot)) continue;
      if (!env::missing(what, *event.snapshot).empty()) return;  // refused
    }
  }
  taken_ = event.snapshot;
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    if (!runs(shadows_[id].state)) continue;
    // A signal may kill what is only starting: that is restarted instead.
    const bool by_restart =
        service(id).on_change == plan::OnChange::restart ||
        (service(id).on_change == plan::OnChange::signal && shadows_[id].state == State::starting);
    const bool other_values = by_restart && service(id).kind == plan::Kind::service &&
                              env::compose(*plan_, service(id), *taken_) != shadows_[id].given;
    if (part(id) && !other_values) continue;
    may_stop_.insert(id);
    for (const ServiceId other : reached(id, true)) may_stop_.insert(other);
  }
}

void Invariants::after(const Engine& engine, const Event& event, Instant now,
                       const std::vector<Action>& actions) {
  now_ = std::max(now_, now);
  plan_ = engine.plan();
  view_ = &engine.view();
  event_ = &event;
  if (shadows_.size() > plan_->services.size()) throw Broken("a plan change took away a number");
  shadows_.resize(plan_->services.size());
  to_forgive_.clear();
  died_live_.reset();
  if (ended_ && !actions.empty()) throw Broken("something was done after Exit");
  if (ended_) return;
  take(event);
  for (const Action& action : actions) {
    if (ended_) throw Broken("Exit is not the last action");
    std::visit([this](const auto& each) { see(each); }, action);
  }
  for (ServiceId id = 0; id < shadows_.size(); ++id) check_service(id);
  check_pod();
  if (const auto deadline = engine.deadline(); deadline && *deadline <= now_) {
    throw Broken("a timer that is due has not fired: its Tick would come for ever");
  }
}

// ---------------------------------------------------------------------------------------------
// Events: what is known of the world

void Invariants::take(const Event& event) {
  const auto run_of = [this](const auto& e) -> Shadow* {
    return e.service < shadows_.size() && shadows_[e.service].spawn == e.spawn ? &shadows_[e.service]
                                                                               : nullptr;
  };
  if (const auto* spawned = std::get_if<Spawned>(&event)) {
    Shadow* run = run_of(*spawned);
    if (run == nullptr || !run->pending) return;
    run->pending = false;
    run->main = true;
    run->spawned_at = now_;
    run->within = service(spawned->service).ready_within;
  } else if (const auto* failed = std::get_if<SpawnFailed>(&event)) {
    Shadow* run = run_of(*failed);
    if (run == nullptr || !run->pending) return;
    run->pending = false;
    run->passing_trouble = failed->passing;
  } else if (const auto* exited = std::get_if<Exited>(&event)) {
    Shadow* run = run_of(*exited);
    if (run == nullptr || !run->main) return;
    run->main = false;
    run->leftovers = !exited->leftovers.empty();
    run->exited_at = now_;
    run->leftovers_timeout = service(exited->service).stop.leftovers;
    run->last_exit = exited->status;
  } else if (const auto* empty = std::get_if<TreeEmpty>(&event)) {
    Shadow* run = run_of(*empty);
    if (run != nullptr && !run->main) run->leftovers = false;
  } else if (const auto* condition = std::get_if<ConditionChanged>(&event)) {
    Shadow* run = run_of(*condition);
    if (run == nullptr || !run->watching.contains(condition->watch)) return;
    const WatchNumbers numbers = watch_numbers(service(condition->service));
    const bool live = condition->watch >= numbers.live && condition->watch < numbers.creates;
    const bool held = run->answers.contains(condition->watch) && run->answers[condition->watch];
    if (live && held && !condition->holds && run->main) died_live_ = condition->service;
    run->answers[condition->watch] = condition->holds;
    if (condition->holds) run->never_live_since.erase(condition->watch);
    if (live && !condition->holds) run->never_live_since.emplace(condition->watch, now_);
  } else if (std::holds_alternative<StopRequested>(event)) {
    ++stop_requests_;
    if (!stopping_since_) stopping_since_ = now_;
  } else if (const auto* command = std::get_if<Command>(&event)) {
    if (stopping_since_ || command->service >= shadows_.size()) return;
    shadows_[command->service].switched_off = command->verb == Command::Verb::stop;
    if (command->verb != Command::Verb::stop) shadows_[command->service].backoffs.clear();
  } else if (std::holds_alternative<PlanChanged>(event)) {
    for (Shadow& run : shadows_) {
      run.plan_changed_while_stopping = true;
      run.backoffs.clear();
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Actions

void Invariants::see(const Spawn& action) {
  Shadow& run = shadows_[action.service];
  const plan::Service& what = service(action.service);
  if (stopping_since_) broken(action.service, "it was started while the pod is stopping");
  if (run.alive()) broken(action.service, "it was started while something of its last run lives");
  if (action.spawn != run.spawn + 1) broken(action.service, "its runs are not numbered one by one");
  if (run.state != State::starting) broken(action.service, "it was started outside the state starting");
  if (!part(action.service)) broken(action.service, "it was started though it is not part of the instance");
  if (run.switched_off) broken(action.service, "it was started though the operator switched it off");
  if (action.snapshot != taken_)
    broken(action.service, "it was not given the newest generation that was taken");
  if (!env::missing(what, *taken_).empty()) broken(action.service, "it was started without a value it needs");
  for (const ServiceId other : what.after) {
    if (!serving(other))
      broken(action.service, "it was started before " + service(other).name + " was ready");
  }
  for (const ServiceId other : what.after_tried) {
    if (!had_its_chance(other))
      broken(action.service, "it was started before " + service(other).name + " had its chance");
  }
  if (what.creates && run.watching.empty() && !run.unwatched.contains(watch_numbers(what).creates)) {
    broken(action.service, "it was run without a look whether it is done already");
  }
  if (view_->services[action.service].last_start_cause.empty())
    broken(action.service, "it was started without a cause");
  Shadow fresh;
  fresh.state = run.state;
  fresh.since = run.since;
  fresh.backoffs = run.backoffs;
  fresh.spawn = action.spawn;
  fresh.pending = true;
  fresh.given = env::compose(*plan_, what, *action.snapshot);
  for (const ServiceId other : what.bound_to) fresh.bonds[other] = shadows_[other].spawn;
  run = fresh;
}

void Invariants::see(const Signal& action) {
  Shadow& run = shadows_[action.service];
  if (action.spawn != run.spawn) broken(action.service, "a signal was sent to a run that is over");
  if (action.target == Target::leftovers) {
    if (run.main) broken(action.service, "leftovers were signalled while the main process lives (T22)");
    if (!run.leftovers) broken(action.service, "leftovers were signalled though there are none");
    if (action.number != sigkill) broken(action.service, "leftovers get SIGKILL and nothing else");
    if (now_ < run.exited_at + run.leftovers_timeout && !no_time_left()) {
      broken(action.service, "leftovers were killed before their time");
    }
    run.leftovers_killed = true;
    return;
  }
  if (!run.main) broken(action.service, "a main process that is not there was signalled");
  if (action.number == sigkill) {
    const bool in_time = run.told && now_ >= *run.told + run.timeout;
    if (!in_time && !no_time_left()) broken(action.service, "SIGKILL before its stop timeout");
    run.main_killed = true;
    return;
  }
  if (run.state == State::stopping) return see_stop_signal(action.service);
  if (action.number != service(action.service).change_signal)
    broken(action.service, "it was signalled for no reason");
  run.given = env::compose(*plan_, service(action.service), *taken_);
}

// Who depends on it has gone before it: T37 for a planned stop, reverse order at the end.
void Invariants::see_stop_signal(ServiceId id) {
  Shadow& run = shadows_[id];
  if (run.told) broken(id, "it was told to stop twice");
  run.told = now_;
  run.timeout = service(id).stop.timeout;
  if (no_time_left() || run.plan_changed_while_stopping) return;
  if (is_failure(run.stop_cause) && !stopping_since_) return;
  for (const ServiceId other : reached(id, !stopping_since_)) {
    // Far ones are bound through near ones: each of those was told in its turn.
    const bool counts = stopping_since_ || contains(service(other).bound_to, id);
    if (counts && shadows_[other].alive())
      broken(id, fmt::format("it was told to stop before {} was gone", service(other).name));
  }
}

void Invariants::see(const Watch& action) {
  Shadow& run = shadows_[action.service];
  if (action.spawn != run.spawn) broken(action.service, "a condition of a run that is over is watched");
  const WatchNumbers numbers = watch_numbers(service(action.service));
  if (action.watch >= numbers.end) broken(action.service, "a condition that does not exist is watched");
  if (action.watch < numbers.creates && !run.main)
    broken(action.service, "a condition is watched without a process");
  if (!run.watching.insert(action.watch).second) broken(action.service, "a condition is watched twice");
  run.answers.erase(action.watch);
  run.never_live_since.erase(action.watch);
  run.unwatched.erase(action.watch);
}

void Invariants::see(const Unwatch& action) {
  Shadow& run = shadows_[action.service];
  if (action.spawn != run.spawn) broken(action.service, "a condition of a run that is over is unwatched");
  if (run.watching.erase(action.watch) == 0)
    broken(action.service, "a condition that was not watched is unwatched");
  run.unwatched.insert(action.watch);
}

void Invariants::see(const TaskDone& action) {
  Shadow& run = shadows_[action.service];
  const WatchNumbers numbers = watch_numbers(service(action.service));
  if (!run.last_exit || !run.last_exit->success() || run.alive())
    broken(action.service, "a task is done that did not end well");
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) {
    if (!run.answers[watch])
      broken(action.service, "a task is done though what it should leave is not there (T13)");
  }
  run.task_done_said = true;
}

void Invariants::see(const Note& note) {
  if (note.seq != ++seq_) throw Broken("the history has a gap");
  if (note.cause.empty()) throw Broken(note.service + ": a line of history without a cause");
  if (note.about == Note::About::pod && note.cause.starts_with("stopping:") && !stopping_since_)
    stopping_since_ = now_;
  if (note.about == Note::About::pod && note.cause.starts_with("opened:")) {
    if (opened_) throw Broken("the pod opened twice");
    opened_ = true;
  }
  if (note.about != Note::About::state) return;
  const auto id = plan_->find(note.service);
  if (!id) throw Broken("a note about nobody");
  see_state(*id, note);
}

void Invariants::see_state(ServiceId id, const Note& note) {
  Shadow& run = shadows_[id];
  if (!note.from || !note.to || *note.from == *note.to) broken(id, "a change of state that is none");
  if (*note.from != run.state) broken(id, "the history lost a change of state");
  if (!may_follow(*note.from, *note.to)) {
    broken(id, fmt::format("{} cannot follow {}", engine::to_text(*note.to), engine::to_text(*note.from)));
  }
  if (*note.from == State::ready) {
    for (ServiceId other = 0; other < shadows_.size(); ++other) {
      const bool just_failed =
          shadows_[other].state == State::backoff && now_ - shadows_[other].since <= seconds(1);
      if (contains(service(other).after, id) && just_failed && !stopping_since_) to_forgive_.push_back(other);
    }
  }
  if (*note.from == State::backoff && note.cause != "its back-off is over") run.backoffs.clear();
  if (*note.from == State::failed) run.backoffs.clear();
  run.state = *note.to;
  run.since = now_;
  switch (*note.to) {
    case State::ready: return see_ready(id);
    case State::backoff:
    case State::failed: return see_failure(id, *note.from, *note.to);
    case State::starting:
      if (*note.from != State::stopping) run.task_done_said = false;
      return;
    case State::stopping:
      run.stop_cause = note.cause;
      if (note.cause == "its liveness never held" && run.never_live_since.empty()) {
        broken(id, "it was stopped for its liveness, and no condition fails");
      }
      run.plan_changed_while_stopping = std::holds_alternative<PlanChanged>(*event_);
      // By its cause: a timer that is due fires in the same step, and that is not the values' doing.
      if (std::holds_alternative<EnvironmentChanged>(*event_) && !may_stop_.contains(id) &&
          !stopping_since_ && note.cause.find("its values changed") != std::string::npos) {
        broken(id, "new values that do not concern it stopped it");
      }
      return;
    case State::done: {
      const bool existed = run.unwatched.contains(watch_numbers(service(id)).creates) &&
                           run.answers[watch_numbers(service(id)).creates];
      const bool task = service(id).kind == plan::Kind::task;
      const bool ended_well = run.last_exit && run.last_exit->success();
      if (task ? !(run.task_done_said || existed) : !ended_well)
        broken(id, "it is done without having ended well");
      return;
    }
    case State::off:
    case State::blocked:
    case State::waiting:
    case State::unready: return;
  }
}

void Invariants::see_ready(ServiceId id) {
  const Shadow& run = shadows_[id];
  if (!run.main) broken(id, "it is ready without a process");
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t watch = 0; watch < ready.size(); ++watch) {
    const auto answer = run.answers.find(watch);
    const bool holds = answer != run.answers.end() && answer->second;
    const bool dropped =
        run.unwatched.contains(watch) && ready[watch].wait && now_ >= run.spawned_at + *ready[watch].wait;
    if (!holds && !dropped) broken(id, "it is ready though a condition does not hold");
  }
}

void Invariants::see_failure(ServiceId id, State from, State to) {
  Shadow& run = shadows_[id];
  const plan::RestartPolicy& policy = service(id).restart;
  const bool passing =
      run.passing_trouble && from == State::starting && std::holds_alternative<SpawnFailed>(*event_);
  if (to == State::failed) {
    if (policy.when != plan::RestartWhen::never && policy.budget == 0)
      broken(id, "it gave up with an endless budget");
    if (passing) broken(id, "it gave up for a passing reason");
  }
  if (!passing && service(id).kind == plan::Kind::service && gate_is_down(id)) {
    broken(id, "a failure counts though its gate is down (T5)");
  }
  if (to != State::backoff || passing) return;
  run.backoffs.push_back(now_);
  while (now_ - run.backoffs.front() > Nanoseconds(policy.window)) run.backoffs.pop_front();
  if (policy.budget > 0 && run.backoffs.size() >= policy.budget)
    broken(id, "it did not give up when its budget was spent");
  if (policy.when == plan::RestartWhen::never) broken(id, "it is tried again though its policy says never");
}

void Invariants::see(const Exit& action) {
  ended_ = true;
  if (action.verdict.empty()) throw Broken("the run ended without a verdict");
  if (!stopping_since_) throw Broken("the run ended without having stopped");
  const Instant latest = *stopping_since_ + plan_->pod.grace;
  const auto undead = std::ranges::find_if(shadows_, &Shadow::alive);
  if (undead != shadows_.end() && now_ < latest)
    throw Broken("the run ended before its grace with processes alive");
  const std::optional<ServiceId> culprit = plan_->find(action.culprit);
  if (action.code == 75 || action.code == 73 || action.code == 69) {
    if (!culprit || shadows_[*culprit].state != State::failed) throw Broken("the culprit has not failed");
    const bool task = service(*culprit).kind == plan::Kind::task;
    if (task != (action.code == 73)) throw Broken("the exit code does not fit the culprit");
  } else if (action.code != 0 && action.code != 78) {
    throw Broken("an exit code that is not in the table");
  }
}

// ---------------------------------------------------------------------------------------------
// After the step

void Invariants::check_service(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  if (view.state != run.state) broken(id, "the view and the history disagree on its state");
  if (view.cause.empty()) broken(id, "its state has no cause");
  if (view.pid.has_value() != run.main)
    broken(id, "the view shows a process that is not there, or hides one");
  if (!is_up(run.state) && run.alive()) broken(id, "it has processes in a state without any");
  if (!is_up(run.state) && !run.watching.empty()) broken(id, "it is watched though it does not run");
  if ((run.state == State::ready || run.state == State::unready) && !run.main)
    broken(id, "it serves without a process");
  if (run.state == State::ready) see_ready(id);
  if (contains(to_forgive_, id) && run.state == State::backoff && gate_is_down(id)) {
    broken(id, "it failed in the moment its gate went down, and was not forgiven (T5)");
  }
  if (died_live_ == id && runs(run.state)) broken(id, "its liveness failed and nothing follows");
  if (ended_) return;
  check_time(id);
  if (stopping_since_ || !taken_) return;
  check_wait(id);
  check_values(id);
  check_bonds(id);
}

// Every wait has a deadline, or its state names what it waits for; and waits for a reason.
void Invariants::check_wait(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  const bool names_it = !view.waiting_for.empty();
  switch (run.state) {
    case State::waiting: {
      bool for_a_reason = false;
      for (const ServiceId other : service(id).after) for_a_reason = for_a_reason || !serving(other);
      for (const ServiceId other : service(id).after_tried)
        for_a_reason = for_a_reason || !had_its_chance(other);
      if (!for_a_reason) broken(id, "it waits for nothing");
      if (!names_it || view.waiting_for.size() != view.waiting_for_services.size())
        broken(id, "it does not say for whom it waits");
      return;
    }
    case State::blocked:
      if (view.waiting_for != env::missing(service(id), *taken_))
        broken(id, "it does not say which values are missing");
      return;
    case State::backoff:
      if (!view.next_start) broken(id, "its back-off has no end");
      return;
    case State::off:
      if (part(id) && !run.switched_off) broken(id, "it is off, but part of the instance");
      return;
    case State::unready:
    case State::stopping:
      if (!names_it) broken(id, "it does not say what it waits for");
      return;
    case State::failed:
      if (!part(id)) broken(id, "it is not part of the instance, and yet failed");
      return;
    case State::starting:
    case State::ready:
    case State::done: return;
  }
}

// Times that were given are kept.
void Invariants::check_time(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  if (run.main && run.told && now_ >= *run.told + run.timeout && !run.main_killed) {
    broken(id, "it ignores its stop signal and was not killed in time");
  }
  if (run.leftovers && now_ >= run.exited_at + run.leftovers_timeout && !run.leftovers_killed) {
    broken(id, "its leftovers were not killed in time");
  }
  const Nanoseconds grace = plan_->pod.grace;
  const bool last_call =
      stopping_since_ && now_ >= *stopping_since_ + grace - std::min<Nanoseconds>(seconds(2), grace / 5);
  if (last_call && ((run.main && !run.main_killed) || (run.leftovers && !run.leftovers_killed))) {
    broken(id, "the grace is nearly over and it was not killed");
  }
  if (run.state == State::starting && run.main && now_ >= run.spawned_at + run.within) {
    broken(id, "it was not ready within its time, and nothing follows");
  }
  if (view.next_start && run.state != State::backoff) broken(id, "it shows a next start outside of back-off");
  if (run.state == State::backoff && view.next_start) {
    if (*view.next_start <= now_) broken(id, "its back-off is over and it does not start");
    const plan::RestartPolicy& policy = service(id).restart;
    const double longest =
        std::max(static_cast<double>(policy.max_delay.count()) * (1.0 + policy.jitter), 6400.0);
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(*view.next_start - view.since);
    const bool since_this_plan = !run.plan_changed_while_stopping;
    if (since_this_plan && static_cast<double>(pause.count()) > longest)
      broken(id, "its back-off is longer than the cap");
  }
  if (service(id).kind == plan::Kind::service) check_live(id);
}

// A service runs with the values of today, unless its policy says otherwise.
void Invariants::check_values(ServiceId id) {
  const bool changed =
      std::holds_alternative<EnvironmentChanged>(*event_) || std::holds_alternative<PlanChanged>(*event_);
  if (!changed || service(id).kind == plan::Kind::task) return;
  const Shadow& run = shadows_[id];
  if (!runs(run.state)) return;
  if (!part(id)) broken(id, "it runs though it is not part of the instance any more");
  if (service(id).on_change == plan::OnChange::ignore) return;
  if (env::compose(*plan_, service(id), *taken_) != run.given) broken(id, "it runs with old values");
}

// T6: nobody is bound to a run that is over while its successor serves.
void Invariants::check_bonds(ServiceId id) {
  const Shadow& run = shadows_[id];
  if (!runs(run.state) || !run.alive()) return;
  for (const auto& [other, bond] : run.bonds) {
    if (!contains(service(id).bound_to, other)) continue;
    if (shadows_[other].state == State::ready && shadows_[other].spawn != bond) {
      broken(id, fmt::format("it is bound to an old run of {} (T6)", service(other).name));
    }
  }
}

// A liveness condition that fails from the start counts once its allowed failures are over.
void Invariants::check_live(ServiceId id) {
  const Shadow& run = shadows_[id];
  plan::Duration longest{};
  for (const plan::Condition& live : service(id).live)
    longest = std::max(longest, live.every * live.failures);
  for (const auto& [watch, since] : run.never_live_since) {
    if (run.watching.contains(watch) && now_ >= since + longest)
      broken(id, "its liveness never held and nothing follows");
  }
}

void Invariants::check_pod() {
  if (view_->ready) {
    if (stopping_since_) throw Broken("the pod is ready while it is stopping");
    for (const ServiceId id : plan_->pod.ready_when) {
      if (!serving(id)) throw Broken("the pod is ready, but " + service(id).name + " is not");
    }
  }
  if (opened_ != view_->opened) throw Broken("the pod opened without a note, or a note lied");
  if (stopping_since_ && !ended_ && now_ >= *stopping_since_ + plan_->pod.grace) {
    throw Broken("the grace is over and the run is not");
  }
  if (stopping_since_ && !ended_ && std::ranges::none_of(shadows_, &Shadow::alive)) {
    throw Broken("nothing lives any more and the run does not end");
  }
  if (view_->state == PodState::ended && !ended_) throw Broken("the run ended without Exit");
  if (taken_ && !stopping_since_ && view_->generation != taken_->generation) {
    throw Broken(
        "a generation that leaves a running service without a value was taken, or a good one was not");
  }
}

void Invariants::at_rest(const Engine& engine) const {
  if (ended_ || stopping_since_) return;
  std::vector<bool> expected(shadows_.size(), false);
  const auto will_serve = [&](ServiceId other) { return serving(other) || expected[other]; };
  for (ServiceId id = 0; id < shadows_.size(); ++id) {  // more than once: numbers are no order after a reload
    for (ServiceId each = 0; each < shadows_.size(); ++each) {
      const State state = shadows_[each].state;
      const bool may =
          part(each) && !shadows_[each].switched_off && state != State::failed && state != State::blocked;
      expected[each] = may && std::ranges::all_of(service(each).after, will_serve);
    }
  }
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    const State state = shadows_[id].state;
    if (expected[id] && state != State::ready && state != State::done) {
      broken(id, fmt::format("all faults are over, what it comes after is ready, and it stays {} for ever: "
                             "{} (waiting for {})",
                             engine::to_text(state), engine.view().services[id].cause,
                             fmt::join(engine.view().services[id].waiting_for, ", ")));
    }
    if (state == State::stopping || state == State::starting || state == State::backoff ||
        state == State::unready) {
      broken(id, fmt::format("it stays {} for ever", engine::to_text(state)));
    }
  }
}

}  // namespace arizuko::sim
