#include "invariants.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::sim {

namespace {

using std::chrono::seconds;

constexpr int sigkill = 9;

// Which states may follow which: the table of docs/reference/engine.md.
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

// Something on the way: it starts, stops, or is about to be restarted.
bool Invariants::moves(ServiceId id) const {
  const State state = shadows_[id].state;
  return state == State::starting || state == State::stopping || is_to_restart(id);
}

// Outcomes of after_tried, not the rule once more. Nobody is started beside one of those it is tried after
// that moves, or that waits for nothing but what moves and will serve.
bool Invariants::comes_soon(ServiceId id) const {
  if (moves(id) && !is_to_restart(id)) return true;
  if (shadows_[id].state != State::waiting) return false;
  bool waits = false;
  for (const ServiceId other : service(id).after) {
    if (serving(other)) continue;
    if (shadows_[other].state != State::starting && shadows_[other].state != State::stopping) return false;
    waits = true;
  }
  return waits;
}

// And nobody waits when nothing moves of all that those he is tried after could wait for, near and far.
bool Invariants::something_moves_before(ServiceId id) const {
  std::vector<ServiceId> list = service(id).after_tried;
  for (std::size_t next = 0; next < list.size(); ++next) {
    if (moves(list[next])) return true;
    for (const auto* links : {&service(list[next]).after, &service(list[next]).after_tried}) {
      for (const ServiceId other : *links) {
        if (!contains(list, other)) list.push_back(other);
      }
    }
  }
  return false;
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
  deadline_ = engine.deadline();
  if (const auto* values = std::get_if<EnvironmentChanged>(&event)) take_environment(*values);
  if (const auto* accept = std::get_if<Accept>(&event)) take_accept(*accept);
  if (const auto* retry = std::get_if<Retry>(&event)) take_retry(*retry);
}

void Invariants::after(const Engine& engine, const Event& event, Instant now,
                       const std::vector<Action>& actions) {
  now_ = std::max(now_, now);
  view_ = &engine.view();
  event_ = &event;
  newest_plan_ = engine.plan();
  to_forgive_.clear();
  plan_changed_in_step_ = false;
  died_live_.reset();
  if (ended_ && !actions.empty()) throw Broken("something was done after Exit");
  if (ended_) return;
  // The host was stopped: what was to be looked at meanwhile was not.
  if (deadline_ && now_ - *deadline_ > seconds(1)) {
    for (Shadow& run : shadows_) run.unobserved += now_ - *deadline_;
  }
  take(event);
  for (const Action& action : actions) {
    if (ended_) throw Broken("Exit is not the last action");
    std::visit([this](const auto& each) { see(each); }, action);
  }
  if (std::exchange(rest_is_due_, false)) throw Broken("the rest of a generation is not offered again");
  if (plan_ != newest_plan_) throw Broken("a new plan was taken without a note");
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
    return e.run.service < shadows_.size() && shadows_[e.run.service].spawn == e.run.number
               ? &shadows_[e.run.service]
               : nullptr;
  };
  if (const auto* spawned = std::get_if<Spawned>(&event)) {
    Shadow* run = run_of(*spawned);
    if (run == nullptr || !run->pending) return;
    run->pending = false;
    run->main = true;
    run->spawned_at = now_;
    run->within = service(spawned->run.service).ready_within;
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
    run->leftovers_timeout = service(exited->run.service).stop.leftovers;
    run->last_exit = exited->status;
  } else if (const auto* empty = std::get_if<TreeEmpty>(&event)) {
    Shadow* run = run_of(*empty);
    if (run != nullptr && !run->main) run->leftovers = false;
  } else if (const auto* condition = std::get_if<ConditionChanged>(&event)) {
    Shadow* run = run_of(*condition);
    if (run == nullptr || !run->watching.contains(condition->watch)) return;
    const WatchNumbers numbers = watch_numbers(service(condition->run.service));
    const bool live = condition->watch >= numbers.live && condition->watch < numbers.creates;
    const bool held = run->answers.contains(condition->watch) && run->answers[condition->watch];
    if (live && held && !condition->holds && run->main) died_live_ = condition->run.service;
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
  }
}

// ---------------------------------------------------------------------------------------------
// Actions

void Invariants::see(const Spawn& action) {
  Shadow& run = shadows_[action.run.service];
  const plan::Service& what = service(action.run.service);
  if (stopping_since_) broken(action.run.service, "it was started while the pod is stopping");
  if (run.alive()) broken(action.run.service, "it was started while something of its last run lives");
  if (action.run.number != run.spawn + 1) broken(action.run.service, "its runs are not numbered one by one");
  if (run.state != State::starting) broken(action.run.service, "it was started outside the state starting");
  if (!part(action.run.service))
    broken(action.run.service, "it was started though it is not part of the instance");
  if (run.switched_off) broken(action.run.service, "it was started though the operator switched it off");
  if (action.snapshot->generation != taken_->generation || action.snapshot->values != taken_->values)
    broken(action.run.service, "it was not given the generation that is in force");
  check_guarded_start(action.run.service);
  check_logins(action.run.service, *action.snapshot);
  if (!env::missing(what, *taken_).empty())
    broken(action.run.service, "it was started without a value it needs");
  for (const auto& [key, why] : taken_->unusable) {
    if (contains_text(env::scope(*plan_, what), key))
      broken(action.run.service, "it was started with a value that cannot be used");
  }
  for (const ServiceId other : what.after) {
    if (!serving(other))
      broken(action.run.service, "it was started before " + service(other).name + " was ready");
  }
  for (const ServiceId other : what.after_tried) {
    if (comes_soon(other))
      broken(action.run.service, "it was started before " + service(other).name + " had its chance");
  }
  if (what.creates && run.watching.empty() && !run.unwatched.contains(watch_numbers(what).creates)) {
    broken(action.run.service, "it was run without a look whether it is done already");
  }
  if (view_->services[action.run.service].run.last_start_cause.empty())
    broken(action.run.service, "it was started without a cause");
  Shadow fresh;
  fresh.state = run.state;
  fresh.since = run.since;
  fresh.backoffs = run.backoffs;
  fresh.spawn = action.run.number;
  fresh.pending = true;
  fresh.given = env::compose(*plan_, what, *action.snapshot);
  fresh.given_in = action.snapshot->generation;
  for (const ServiceId other : what.bound_to) fresh.bonds[other] = shadows_[other].spawn;
  run = fresh;
}

void Invariants::see(const Signal& action) {
  Shadow& run = shadows_[action.run.service];
  if (action.run.number != run.spawn) broken(action.run.service, "a signal was sent to a run that is over");
  if (action.target == Target::leftovers) {
    if (run.main) broken(action.run.service, "leftovers were signalled while the main process lives (T22)");
    if (!run.leftovers) broken(action.run.service, "leftovers were signalled though there are none");
    if (action.number != sigkill) broken(action.run.service, "leftovers get SIGKILL and nothing else");
    if (now_ < run.exited_at + run.leftovers_timeout && !no_time_left()) {
      broken(action.run.service, "leftovers were killed before their time");
    }
    run.leftovers_killed = true;
    return;
  }
  if (!run.main) broken(action.run.service, "a main process that is not there was signalled");
  if (action.number == sigkill) {
    const bool in_time = run.told && now_ >= *run.told + run.timeout;
    if (!in_time && !no_time_left()) broken(action.run.service, "SIGKILL before its stop timeout");
    run.main_killed = true;
    return;
  }
  if (run.state == State::stopping) return see_stop_signal(action.run.service);
  if (action.number != service(action.run.service).change_signal)
    broken(action.run.service, "it was signalled for no reason");
  run.given = env::compose(*plan_, service(action.run.service), *taken_);
  run.given_in = taken_->generation;
}

// Who depends on it has gone before it: T37 for a planned stop, reverse order at the end.
void Invariants::see_stop_signal(ServiceId id) {
  Shadow& run = shadows_[id];
  if (run.told) broken(id, "it was told to stop twice");
  run.told = now_;
  run.timeout = service(id).stop.timeout;
  if (no_time_left() || run.plan_changed_while_stopping) return;
  if (run.stopped_for && is_failure(*run.stopped_for) && !stopping_since_) return;
  for (const ServiceId other : reached(id, !stopping_since_)) {
    // Far ones are bound through near ones: each of those was told in its turn.
    const bool counts = stopping_since_ || contains(service(other).bound_to, id);
    if (counts && shadows_[other].alive())
      broken(id, fmt::format("it was told to stop before {} was gone", service(other).name));
  }
}

void Invariants::see(const Watch& action) {
  Shadow& run = shadows_[action.run.service];
  if (action.run.number != run.spawn)
    broken(action.run.service, "a condition of a run that is over is watched");
  const WatchNumbers numbers = watch_numbers(service(action.run.service));
  if (action.watch >= numbers.end) broken(action.run.service, "a condition that does not exist is watched");
  if (action.watch < numbers.creates && !run.main)
    broken(action.run.service, "a condition is watched without a process");
  if (!run.watching.insert(action.watch).second) broken(action.run.service, "a condition is watched twice");
  run.answers.erase(action.watch);
  run.never_live_since.erase(action.watch);
  run.unwatched.erase(action.watch);
}

void Invariants::see(const Unwatch& action) {
  Shadow& run = shadows_[action.run.service];
  if (action.run.number != run.spawn)
    broken(action.run.service, "a condition of a run that is over is unwatched");
  if (run.watching.erase(action.watch) == 0)
    broken(action.run.service, "a condition that was not watched is unwatched");
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
  if (note.what == What::pod_stopping && !stopping_since_) stopping_since_ = now_;
  if (note.what == What::fault) throw Broken("a fault of the engine: " + note.cause);
  if (note.what == What::pod_opened) {
    if (opened_) throw Broken("the pod opened twice");
    opened_ = true;
  }
  if (about(note.what) == About::environment) see_generation(note);
  if (note.what == What::plan_taken) see_plan();
  if (note.what != What::state_changed) return;
  const auto id = plan_->find(note.service);
  if (!id) throw Broken("a note about nobody");
  see_state(*id, note);
}

// From this note on the new plan holds.
void Invariants::see_plan() {
  plan_ = newest_plan_;
  plan_changed_in_step_ = true;
  if (shadows_.size() > plan_->services.size()) throw Broken("a plan change took away a number");
  shadows_.resize(plan_->services.size());
  for (Shadow& run : shadows_) {
    run.plan_changed_while_stopping = true;
    run.backoffs.clear();
  }
}

void Invariants::see_state(ServiceId id, const Note& note) {
  Shadow& run = shadows_[id];
  if (!note.from || !note.to || *note.from == *note.to) broken(id, "a change of state that is none");
  if (!note.why || !note.origin) broken(id, "a change of state without the code of its cause");
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
  if (*note.from == State::backoff && note.why != Why::backoff_over) run.backoffs.clear();
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
      run.stopped_for = note.why;
      if (note.why == Why::never_live && run.never_live_since.empty()) {
        broken(id, "it was stopped for its liveness, and no condition fails");
      }
      run.plan_changed_while_stopping = plan_changed_in_step_;
      if (!stopping_since_ && !plan_changed_in_step_) see_stop_for_values(id, note);
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
  if (!passing && turn_ && !turn_->going_back && turn_->restarted.contains(id) &&
      turn_->serving.contains(id) && !run.switched_off && run.given_in == turn_->generation &&
      !(view_->values.rotation->all_ready && now_ >= *view_->values.rotation->all_ready + observed_for)) {
    broken(id, "a failure during a rotation counts against it, and not against the values");
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
  if (turn_ || !open_.empty()) throw Broken("the run ended, and a generation has no outcome");
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

}  // namespace arizuko::sim
