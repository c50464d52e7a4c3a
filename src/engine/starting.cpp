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
  Run& run = change(id);
  const Wishes& wishes = run.wishes;
  if (stopping()) return enter(id, State::off, {.why = Why::pod_stops});
  if (!values_.snapshot()) {
    if (run.state == State::waiting) run.waits.names = {"the values of the environment"};
    return;
  }
  if (wishes.switched_off) return enter(id, State::off, run.cause);
  if (!wishes.part) return enter(id, State::off, why_not_part(id));
  if (!wishes.missing.empty()) {
    enter(id, State::blocked,
          {.why = Why::values_missing,
           .names = wishes.missing,
           .text = why_missing(wishes.missing, *values_.snapshot())});
    run.waits.names = wishes.missing;
    return;
  }
  if (!wishes.unusable.empty()) {
    enter(id, State::blocked,
          {.why = Why::values_unusable,
           .names = wishes.unusable,
           .text = why_missing(wishes.unusable, *values_.snapshot())});
    run.waits.names = wishes.unusable;
    return;
  }
  if (!wishes.unaccepted.empty()) {
    enter(id, State::blocked, {.why = Why::values_unaccepted, .names = wishes.unaccepted});
    for (const std::string& key : wishes.unaccepted) run.waits.names.push_back(key + " to be accepted");
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
  if (!runs_[other].wishes.part && state(other) == State::off) return false;
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
  if (what.kind == plan::Kind::task && what.creates) return look_whether_done(id);
  spawn(id);
}

void Engine::Machine::look_whether_done(ServiceId id) {
  Run& run = change(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  enter_phase(id, Phase::looking, now() + service(id).ready_within);
  run.watches.forget(numbers.end);
  enter(id, State::starting, {.why = Why::looks_whether_done, .names = {*service(id).creates}});
  run.waits.names = {*service(id).creates};
  watch(id, numbers.creates);
}

void Engine::Machine::spawn(ServiceId id) {
  Run& run = change(id);
  ++run.number;
  enter_phase(id, Phase::spawning, now() + service(id).ready_within);
  run.processes.spawn_pending = true;
  run.processes.spawned_at = now();
  const env::SnapshotPtr last_values = run.given.values;
  run.given = {.values = values_.snapshot(),
               .defined_by = plan_,
               .because = std::exchange(run.restarts.start_cause, std::nullopt)
                              .value_or(Cause{.why = Why::dependencies_ready}),
               .generation = values_.snapshot()->generation,
               .values_since = values_.in_force().since};
  for (const ServiceId other : service(id).bound_to) run.given.bonds[other] = runs_[other].number;
  run.watches.forget(watch_numbers(service(id)).end);
  run.restarts.ready_at.reset();
  enter(id, State::starting, run.given.because);
  wait_for_conditions(id);
  Rotated services(*this);
  values_.before_run(id, last_values.get(), services);
  emit(Spawn{run_of(id), run.given.values});
  values_.started(id, services);
  refresh_timer(id);
}

void Engine::Machine::consider_ready(ServiceId id) {
  if (!runs_[id].processes.main_alive) return;
  drop_overdue_conditions(id);
  if (runs_[id].watches.hold(0, watch_numbers(service(id)).live)) {
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
  Run& run = change(id);
  if (run.state != State::starting) return;
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t i = 0; i < ready.size(); ++i) {
    if (!run.watches.open(i) || !ready[i].wait || now() < run.processes.spawned_at + *ready[i].wait) continue;
    Answer& answer = run.watches.answers[i];
    answer.is = ConditionView::Is::dropped;
    note(What::condition_dropped, id,
         fmt::format("dropped, it never held: {}{}", plan::to_text(ready[i]),
                     answer.detail.empty() ? "" : " (" + answer.detail + ")"));
    unwatch(id, i);
  }
}

void Engine::Machine::watch(ServiceId id, std::uint32_t number) {
  change(id).watches.awaited.insert(number);
  emit(Watch{run_of(id), number});
}

void Engine::Machine::unwatch(ServiceId id, std::uint32_t number) {
  if (change(id).watches.awaited.erase(number) > 0) emit(Unwatch{run_of(id), number});
}

void Engine::Machine::unwatch_all(ServiceId id) {
  std::set<std::uint32_t>& awaited = change(id).watches.awaited;
  for (const std::uint32_t number : awaited) emit(Unwatch{run_of(id), number});
  awaited.clear();
}

void Engine::Machine::become_ready(ServiceId id) {
  Run& run = change(id);
  const bool first = run.state == State::starting;
  run.restarts.ever_ready = true;
  if (first) enter_phase(id, Phase::running);
  enter(id, State::ready, {.why = service(id).ready.empty() ? Why::no_conditions : Why::conditions_hold});
  if (!first) return look_while_ready(id);
  run.restarts.ready_at = now();
  Rotated services(*this);
  values_.ready(id, services);
  run.restarts.start_time = now() - run.processes.spawned_at;
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
  Run& run = change(id);
  const std::vector<plan::Condition>& live = service(id).live;
  const std::uint32_t first = watch_numbers(service(id)).live;
  for (std::uint32_t i = 0; i < live.size(); ++i) {
    if (live[i].looked_at != plan::LookedAt::while_ready) continue;
    unwatch(id, first + i);
    run.watches.answers[first + i] = {};
  }
  if (!one_liveness_fails(id)) run.due.reset();
}

void Engine::Machine::consider_task(ServiceId id) {
  if (runs_[id].phase == Phase::looking) return consider_whether_done(id);
  if (runs_[id].phase == Phase::verifying) return consider_verified(id);
}

// It was asked whether it is done already.
void Engine::Machine::consider_whether_done(ServiceId id) {
  Run& run = change(id);
  const bool is_done =
      run.watches.hold(watch_numbers(service(id)).creates, watch_numbers(service(id)).verify);
  if (run.watches.answers[watch_numbers(service(id)).creates].is == ConditionView::Is::unknown) return;
  unwatch_all(id);
  const bool may_start =
      run.wishes.missing.empty() && run.wishes.unusable.empty() && unmet_prerequisites(id).empty();
  if (!is_done && may_start) return spawn(id);
  enter_phase(id, Phase::none);
  if (!is_done) return enter(id, State::waiting, {.why = Why::look_outdated});
  return enter(id, State::done, {.why = Why::task_done_before, .names = {*service(id).creates}});
}

// It ended well: did it do what it should?
void Engine::Machine::consider_verified(ServiceId id) {
  Run& run = change(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  std::string absent;
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) {
    if (run.watches.answers[watch].is == ConditionView::Is::unknown) return;
    const bool missing = run.watches.answers[watch].is != ConditionView::Is::holds;
    if (missing && absent.empty()) absent = service(id).verify[watch - numbers.verify];
  }
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) unwatch(id, watch);
  if (!absent.empty()) {
    enter_phase(id, Phase::none);
    run.restarts.failure = {.why = Why::not_verified, .names = {absent}};
    return recover(id);
  }
  emit(TaskDone{id});
  enter_phase(id, Phase::rereading, now() + read_again_within);
  enter(id, State::starting, {.why = Why::rereads_values});
}

void Engine::Machine::task_is_done(ServiceId id) {
  enter_phase(id, Phase::none);
  change(id).restarts.ever_ready = true;
  enter(id, State::done, {.why = Why::ended, .status = ExitStatus{.code = 0, .signal = {}}});
}

// What told something to an earlier run of `id` has to tell it again (T6).
void Engine::Machine::restart_what_is_bound(ServiceId id) {
  if (stopping()) return;
  for (const ServiceId other : dependencies_.bound(id)) {
    const Run& run = runs_[other];
    if (run.state == State::stopping || !is_up(run.state) || run.phase == Phase::looking) continue;
    const auto bond = run.given.bonds.find(id);
    if (bond == run.given.bonds.end() || bond->second == runs_[id].number) continue;
    stop_with_bound(other, Next::start_again,
                    {.why = Why::dependency_restarted,
                     .names = {service(id).name},
                     .because = std::make_shared<const Cause>(runs_[id].given.because)});
  }
}

}  // namespace arizuko::engine
