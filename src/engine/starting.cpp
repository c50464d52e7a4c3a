// When a service may start, and when it is ready.
#include <algorithm>

#include "arizuko/env/scope.hpp"
#include "conditions.hpp"
#include "recovery.hpp"
#include "rotated.hpp"
#include "starting.hpp"
#include "stopping.hpp"
#include "values_text.hpp"

namespace arizuko::engine {

namespace {

// How long the host may take to read the sources after a task; then the old values serve.
constexpr std::chrono::seconds read_again_within{5};

}  // namespace

// The one question asked of a service after anything changed: what follows from the facts?
void Starting::consider(ServiceId id) {
  switch (state(id)) {
    case State::off:
    case State::blocked:
    case State::waiting: return consider_start(id);
    case State::backoff: return;  // its timer decides
    case State::starting:
      return service(id).kind == plan::Kind::task ? consider_task(id) : consider_ready(id);
    case State::ready:
    case State::unready: return consider_ready(id);
    case State::stopping: return stopping().advance_stop(id);
    case State::failed:
    case State::done: return;  // left by a command, or by new values
  }
}

void Starting::consider_start(ServiceId id) {
  Run& run = change(id);
  const Wishes& wishes = run.wishes;
  if (pod_stops()) return enter(id, State::off, {.why = Why::pod_stops});
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
           .text = why_missing(service(id), wishes.missing, *values_.snapshot())});
    run.waits.names = wishes.missing;
    return;
  }
  if (!wishes.unusable.empty()) {
    enter(id, State::blocked,
          {.why = Why::values_unusable,
           .names = wishes.unusable,
           .text = why_missing(service(id), wishes.unusable, *values_.snapshot())});
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

std::vector<ServiceId> Starting::unmet_prerequisites(ServiceId id) const {
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

void Starting::begin(ServiceId id) {
  const plan::Service& what = service(id);
  if (what.kind == plan::Kind::task && what.creates) return look_whether_done(id);
  spawn(id);
}

void Starting::look_whether_done(ServiceId id) {
  Run& run = change(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  enter_phase(id, Phase::looking, now() + service(id).ready_within);
  run.watches.forget(numbers.end);
  enter(id, State::starting, {.why = Why::looks_whether_done, .names = {*service(id).creates}});
  run.waits.names = {*service(id).creates};
  conditions().watch(id, numbers.creates);
}

void Starting::spawn(ServiceId id) {
  Run& run = change(id);
  ++run.number;
  enter_phase(id, Phase::spawning, now() + service(id).ready_within);
  run.processes.spawn_pending = true;
  run.processes.spawned_at = now();
  const env::SnapshotPtr last_values = run.given.values;
  run.given = {.values = values_.snapshot(),
               .defined_by = services_.plan(),
               .because = std::exchange(run.restarts.start_cause, std::nullopt)
                              .value_or(Cause{.why = Why::dependencies_ready}),
               .generation = values_.snapshot()->generation,
               .values_since = values_.in_force().since};
  for (const ServiceId other : service(id).bound_to) run.given.bonds[other] = services_.run(other).number;
  run.watches.forget(watch_numbers(service(id)).end);
  run.restarts.ready_at.reset();
  enter(id, State::starting, run.given.because);
  conditions().wait_for_conditions(id);
  Rotated rotated(machine_);
  values_.before_run(id, last_values.get(), rotated);
  emit(Spawn{run_of(id), run.given.values});
  values_.started(id, rotated);
  refresh_timer(id);
}

void Starting::consider_ready(ServiceId id) {
  if (!services_.run(id).processes.main_alive) return;
  conditions().drop_overdue_conditions(id);
  if (services_.run(id).watches.hold(0, watch_numbers(service(id)).live)) {
    if (state(id) != State::ready) become_ready(id);
    restart_what_is_bound(id);
    return;
  }
  if (state(id) == State::ready) {
    enter(id, State::unready, {.why = Why::condition_ceased});
    conditions().look_away(id);
  }
  conditions().wait_for_conditions(id);
}

void Starting::become_ready(ServiceId id) {
  Run& run = change(id);
  const bool first = run.state == State::starting;
  run.restarts.ever_ready = true;
  if (first) enter_phase(id, Phase::running);
  enter(id, State::ready, {.why = service(id).ready.empty() ? Why::no_conditions : Why::conditions_hold});
  if (!first) return conditions().look_while_ready(id);
  run.restarts.ready_at = now();
  Rotated rotated(machine_);
  values_.ready(id, rotated);
  run.restarts.start_time = now() - run.processes.spawned_at;
  const WatchNumbers numbers = watch_numbers(service(id));
  for (std::uint32_t watch = numbers.live; watch < numbers.creates; ++watch) conditions().watch(id, watch);
}

void Starting::consider_task(ServiceId id) {
  if (services_.run(id).phase == Phase::looking) return consider_whether_done(id);
  if (services_.run(id).phase == Phase::verifying) return consider_verified(id);
}

// It was asked whether it is done already.
void Starting::consider_whether_done(ServiceId id) {
  Run& run = change(id);
  const bool is_done =
      run.watches.hold(watch_numbers(service(id)).creates, watch_numbers(service(id)).verify);
  if (run.watches.answers[watch_numbers(service(id)).creates].is == ConditionView::Is::unknown) return;
  conditions().unwatch_all(id);
  const bool may_start =
      run.wishes.missing.empty() && run.wishes.unusable.empty() && unmet_prerequisites(id).empty();
  if (!is_done && may_start) return spawn(id);
  enter_phase(id, Phase::none);
  if (!is_done) return enter(id, State::waiting, {.why = Why::look_outdated});
  return enter(id, State::done, {.why = Why::task_done_before, .names = {*service(id).creates}});
}

// It ended well: did it do what it should?
void Starting::consider_verified(ServiceId id) {
  Run& run = change(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  std::string absent;
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) {
    if (run.watches.answers[watch].is == ConditionView::Is::unknown) return;
    const bool missing = run.watches.answers[watch].is != ConditionView::Is::holds;
    if (missing && absent.empty()) absent = service(id).verify[watch - numbers.verify];
  }
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) conditions().unwatch(id, watch);
  if (!absent.empty()) {
    enter_phase(id, Phase::none);
    run.restarts.failure = {.why = Why::not_verified, .names = {absent}};
    return recovery().recover(id);
  }
  emit(TaskDone{id});
  enter_phase(id, Phase::rereading, now() + read_again_within);
  enter(id, State::starting, {.why = Why::rereads_values});
}

void Starting::task_is_done(ServiceId id) {
  enter_phase(id, Phase::none);
  change(id).restarts.ever_ready = true;
  enter(id, State::done, {.why = Why::ended, .status = ExitStatus{.code = 0, .signal = {}}});
}

// What told something to an earlier run of `id` has to tell it again (T6).
void Starting::restart_what_is_bound(ServiceId id) {
  if (pod_stops()) return;
  for (const ServiceId other : services_.dependencies().bound(id)) {
    const Run& run = services_.run(other);
    if (run.state == State::stopping || !is_up(run.state) || run.phase == Phase::looking) continue;
    const auto bond = run.given.bonds.find(id);
    if (bond == run.given.bonds.end() || bond->second == services_.run(id).number) continue;
    stopping().stop_with_bound(other, Next::start_again,
                               {.why = Why::dependency_restarted,
                                .names = {service(id).name},
                                .because = std::make_shared<const Cause>(services_.run(id).given.because)});
  }
}

}  // namespace arizuko::engine
