// When a service may start, and when it is ready.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "machine.hpp"
#include "values_text.hpp"

namespace arizuko::engine {

namespace {

// How long the host may take to read the sources after a task; then the old values serve.
constexpr std::chrono::seconds read_again_within{5};

}  // namespace

// The one question asked of a service after anything changed: what follows from the facts?
void Engine::Machine::consider(ServiceId id) {
  switch (state(id)) {
    case State::off:
    case State::blocked:
    case State::waiting: return consider_start(id);
    case State::backoff: return;  // its timer decides
    case State::starting:
      return service(id).kind == plan::Kind::task ? consider_task(id) : consider_ready(id);
    case State::ready:
    case State::unready: return consider_ready(id);
    case State::stopping: return advance_stop(id);
    case State::failed:
    case State::done: return;  // left by a command, or by new values
  }
}

void Engine::Machine::consider_start(ServiceId id) {
  const Runtime& run = runs_[id];
  if (stopping()) return enter(id, State::off, {.why = Why::pod_stops});
  if (!values_.snapshot()) {
    if (state(id) == State::waiting) shown(id).waiting_for = {"the values of the environment"};
    return;
  }
  if (run.switched_off) return enter(id, State::off, run.cause);
  if (!run.part) return enter(id, State::off, why_not_part(id));
  if (!run.missing.empty()) {
    enter(id, State::blocked,
          {.why = Why::values_missing,
           .names = run.missing,
           .text = why_missing(run.missing, *values_.snapshot())});
    shown(id).waiting_for = run.missing;
    return;
  }
  if (!run.unusable.empty()) {
    enter(id, State::blocked,
          {.why = Why::values_unusable,
           .names = run.unusable,
           .text = why_missing(run.unusable, *values_.snapshot())});
    shown(id).waiting_for = run.unusable;
    return;
  }
  if (!run.unaccepted.empty()) {
    enter(id, State::blocked, {.why = Why::values_unaccepted, .names = run.unaccepted});
    shown(id).waiting_for.clear();
    for (const std::string& key : run.unaccepted) shown(id).waiting_for.push_back(key + " to be accepted");
    return;
  }
  std::vector<ServiceId> unmet = unmet_prerequisites(id);
  if (!unmet.empty()) {
    std::vector<std::string> names;
    for (const ServiceId other : unmet) names.push_back(service(other).name);
    enter(id, State::waiting, {.why = Why::comes_after, .names = std::move(names)});
    wait_for_services(id, std::move(unmet));
    return;
  }
  begin(id);
}

// A service that is not part of this instance is nothing to wait for.
bool Engine::Machine::unmet(ServiceId other) const {
  if (!runs_[other].part && state(other) == State::off) return false;
  return state(other) != State::ready && state(other) != State::done;
}

// From its own state and the near answers, which are kept: a question costs the same in any plan.
bool Engine::Machine::work_out_chance(ServiceId id) const {
  switch (state(id)) {
    case State::starting:
    case State::stopping: return false;
    case State::waiting:
      // Stuck, near or far, behind something that is not on its way: waiting for it could be for ever.
      return std::ranges::any_of(service(id).after,
                                 [this](ServiceId other) { return unmet(other) && had_chance_[other]; });
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

// Its state is another. In start order, so that each of those behind it is asked once.
void Engine::Machine::refresh_chance(ServiceId id) {
  std::set<std::uint32_t> ranks = {dependencies_.rank(id)};
  while (!ranks.empty()) {
    const ServiceId next = dependencies_.at_rank(*ranks.begin());
    ranks.erase(ranks.begin());
    const bool chance = work_out_chance(next);
    if (next != id && chance == had_chance_[next]) continue;
    had_chance_[next] = chance;
    for (const ServiceId other : dependencies_.dependents(next)) {
      touch(other);
      if (state(other) == State::waiting) ranks.insert(dependencies_.rank(other));
    }
  }
}

// What is part of the instance may be another, or the plan is.
void Engine::Machine::refresh_chances() {
  had_chance_.resize(runs_.size());
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    const ServiceId id = dependencies_.at_rank(rank);
    had_chance_[id] = work_out_chance(id);
  }
}

std::vector<ServiceId> Engine::Machine::unmet_prerequisites(ServiceId id) const {
  std::vector<ServiceId> list;
  for (const ServiceId other : service(id).after) {
    if (unmet(other)) list.push_back(other);
  }
  // What it is bound to is about to be restarted: it would have to restart with it.
  for (const ServiceId other : service(id).bound_to) {
    if (values_.has_turn_to_come(other) && state(other) == State::ready) list.push_back(other);
  }
  for (const ServiceId other : service(id).after_tried) {
    const bool known = std::ranges::find(list, other) != list.end();
    if (!known && !had_its_chance(other)) list.push_back(other);
  }
  return list;
}

bool Engine::Machine::gate_is_down(ServiceId id) const {
  return std::ranges::any_of(service(id).after, [this](ServiceId other) { return unmet(other); });
}

void Engine::Machine::begin(ServiceId id) {
  const plan::Service& what = service(id);
  if (what.kind == plan::Kind::task && what.creates && !runs_[id].checking) return look_whether_done(id);
  spawn(id);
}

void Engine::Machine::look_whether_done(ServiceId id) {
  Runtime& run = runs_[id];
  run.checking = true;
  run.watched.assign(watch_numbers(service(id)).end, ConditionView::Is::unknown);
  run.start_deadline = now_ + service(id).ready_within;
  enter(id, State::starting, {.why = Why::looks_whether_done, .names = {*service(id).creates}});
  shown(id).waiting_for = {*service(id).creates};
  watch(id, watch_numbers(service(id)).creates);
}

void Engine::Machine::spawn(ServiceId id) {
  Runtime& run = runs_[id];
  ++run.number;
  run.spawn_pending = true;
  run.checking = false;
  const env::SnapshotPtr last_values = std::exchange(run.values, values_.snapshot());
  run.defined_by = plan_;
  run.bonds.clear();
  for (const ServiceId other : service(id).bound_to) run.bonds[other] = runs_[other].number;
  run.watched.assign(watch_numbers(service(id)).end, ConditionView::Is::unknown);
  run.spawned_at = now_;
  run.start_deadline = now_ + service(id).ready_within;
  run.next_start.reset();
  ServiceView& view = shown(id);
  view.spawns = run.number;
  view.restarts = run.number - 1;
  view.generation = values_.snapshot()->generation;
  view.values_since = values_.in_force().since;
  view.old_values = false;
  view.ready_at.reset();
  view.next_start.reset();
  run.started_because =
      std::exchange(run.start_cause, std::nullopt).value_or(Cause{.why = Why::dependencies_ready});
  view.last_start_why = run.started_because.why;
  view.last_start_cause = to_text(run.started_because);
  for (ConditionView& condition : view.readiness)
    condition = {condition.text, ConditionView::Is::unknown, ""};
  for (ConditionView& condition : view.liveness) condition = {condition.text, ConditionView::Is::unknown, ""};
  enter(id, State::starting, run.started_because);
  wait_for_conditions(id);
  Rotated services(*this);
  values_.before_run(id, last_values.get(), services);
  emit(Spawn{run_of(id), run.values});
  values_.started(id, services);
  refresh_timer(id);
}

bool Engine::Machine::holds(ServiceId id, std::uint32_t first, std::uint32_t last) const {
  const std::vector<ConditionView::Is>& watched = runs_[id].watched;
  return std::all_of(watched.begin() + first, watched.begin() + last, [](ConditionView::Is is) {
    return is == ConditionView::Is::holds || is == ConditionView::Is::dropped;
  });
}

void Engine::Machine::consider_ready(ServiceId id) {
  if (!runs_[id].main_alive) return;
  drop_overdue_conditions(id);
  const bool all_hold = holds(id, 0, watch_numbers(service(id)).live);
  if (all_hold) {
    if (state(id) != State::ready) become_ready(id);
    restart_what_is_bound(id);
    return;
  }
  if (state(id) == State::ready) {
    enter(id, State::unready, {.why = Why::condition_ceased});
    look_away(id);
  }
  wait_for_conditions(id);
}

void Engine::Machine::drop_overdue_conditions(ServiceId id) {
  Runtime& run = runs_[id];
  if (state(id) != State::starting) return;
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t i = 0; i < ready.size(); ++i) {
    const bool open =
        run.watched[i] == ConditionView::Is::unknown || run.watched[i] == ConditionView::Is::fails;
    if (!open || !ready[i].wait || now_ < run.spawned_at + *ready[i].wait) continue;
    run.watched[i] = ConditionView::Is::dropped;
    ConditionView& view = shown(id).readiness[i];
    view.is = ConditionView::Is::dropped;
    note(What::condition_dropped, id,
         fmt::format("dropped, it never held: {}{}", view.text,
                     view.detail.empty() ? "" : " (" + view.detail + ")"));
    unwatch(id, i);
  }
}

void Engine::Machine::watch(ServiceId id, std::uint32_t number) {
  runs_[id].watching.insert(number);
  emit(Watch{run_of(id), number});
}

void Engine::Machine::unwatch(ServiceId id, std::uint32_t number) {
  if (runs_[id].watching.erase(number) > 0) emit(Unwatch{run_of(id), number});
}

void Engine::Machine::unwatch_all(ServiceId id) {
  for (const std::uint32_t number : runs_[id].watching) emit(Unwatch{run_of(id), number});
  runs_[id].watching.clear();
}

void Engine::Machine::become_ready(ServiceId id) {
  Runtime& run = runs_[id];
  ServiceView& view = shown(id);
  const bool first = state(id) == State::starting;
  run.start_deadline.reset();
  run.ever_ready = true;
  enter(id, State::ready, {.why = service(id).ready.empty() ? Why::no_conditions : Why::conditions_hold});
  if (!first) return look_while_ready(id);
  view.ready_at = now_;
  Rotated services(*this);
  values_.ready(id, services);
  view.start_time = now_ - run.spawned_at;
  const WatchNumbers numbers = watch_numbers(service(id));
  for (std::uint32_t watch = numbers.live; watch < numbers.creates; ++watch) this->watch(id, watch);
}

// It is ready again: what is looked at only then is looked at anew.
void Engine::Machine::look_while_ready(ServiceId id) {
  const std::vector<plan::Condition>& live = service(id).live;
  const std::uint32_t first = watch_numbers(service(id)).live;
  for (std::uint32_t i = 0; i < live.size(); ++i) {
    if (live[i].looked_at == plan::LookedAt::while_ready) watch(id, first + i);
  }
}

// It is not ready any more: what is looked at only while it is says nothing now, neither well nor ill.
void Engine::Machine::look_away(ServiceId id) {
  Runtime& run = runs_[id];
  const std::vector<plan::Condition>& live = service(id).live;
  const std::uint32_t first = watch_numbers(service(id)).live;
  bool one_fails = false;
  for (std::uint32_t i = 0; i < live.size(); ++i) {
    if (live[i].looked_at == plan::LookedAt::while_ready) {
      unwatch(id, first + i);
      run.watched[first + i] = ConditionView::Is::unknown;
      ConditionView& view = shown(id).liveness[i];
      view = {view.text, ConditionView::Is::unknown, ""};
    }
    one_fails = one_fails || run.watched[first + i] == ConditionView::Is::fails;
  }
  if (!one_fails) run.live_deadline.reset();
}

void Engine::Machine::consider_task(ServiceId id) {
  Runtime& run = runs_[id];
  if (run.anything_alive() || run.awaiting_values) return;
  const WatchNumbers numbers = watch_numbers(service(id));
  if (run.checking) {
    // It was asked whether it is done already.
    const ConditionView::Is answer = run.watched[numbers.creates];
    if (answer == ConditionView::Is::unknown) return;
    unwatch_all(id);
    const bool may_start = run.missing.empty() && run.unusable.empty() && unmet_prerequisites(id).empty();
    if (answer != ConditionView::Is::holds && may_start) return spawn(id);
    run.checking = false;
    run.start_deadline.reset();
    if (answer != ConditionView::Is::holds) return enter(id, State::waiting, {.why = Why::look_outdated});
    return enter(id, State::done, {.why = Why::task_done_before, .names = {*service(id).creates}});
  }
  // It ended well: did it do what it should?
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) {
    if (run.watched[watch] == ConditionView::Is::unknown) return;
  }
  const bool verified = holds(id, numbers.verify, numbers.end);
  std::string absent;
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) {
    unwatch(id, watch);
    if (run.watched[watch] != ConditionView::Is::holds && absent.empty()) {
      absent = service(id).verify[watch - numbers.verify];
    }
  }
  if (!verified) {
    run.start_deadline.reset();
    run.failure = {.why = Why::not_verified, .names = {absent}};
    return recover(id);
  }
  emit(TaskDone{id});
  run.awaiting_values = true;
  run.start_deadline = now_ + read_again_within;
  enter(id, State::starting, {.why = Why::rereads_values});
}

void Engine::Machine::task_is_done(ServiceId id) {
  Runtime& run = runs_[id];
  run.awaiting_values = false;
  run.start_deadline.reset();
  run.ever_ready = true;
  enter(id, State::done, {.why = Why::ended, .status = ExitStatus{.code = 0, .signal = {}}});
}

// What told something to an earlier run of `id` has to tell it again (T6).
void Engine::Machine::restart_what_is_bound(ServiceId id) {
  if (stopping()) return;
  for (const ServiceId other : dependencies_.bound(id)) {
    Runtime& run = runs_[other];
    if (state(other) == State::stopping || !is_up(state(other)) || run.checking) continue;
    const auto bond = run.bonds.find(id);
    if (bond == run.bonds.end() || bond->second == runs_[id].number) continue;
    stop_with_bound(other, Next::start_again,
                    {.why = Why::dependency_restarted,
                     .names = {service(id).name},
                     .because = std::make_shared<const Cause>(runs_[id].started_because)});
  }
}

}  // namespace arizuko::engine
