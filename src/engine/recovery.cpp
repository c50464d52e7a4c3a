// What follows when a run ended unasked: at once, later, or never again.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/base/exit_codes.hpp"
#include "conditions.hpp"
#include "pod_rules.hpp"
#include "recovery.hpp"
#include "rotated.hpp"

namespace arizuko::engine {

namespace {

// A service that dies with its gate may be seen to end a moment before the gate is.
constexpr std::chrono::seconds shared_end{1};

// So long after it got ready, a main process that ends well has only just made its daemon.
constexpr std::chrono::seconds still_beginning{10};

}  // namespace

Cause Recovery::told(ServiceId id) const {
  const Run& run = services_.run(id);
  Cause failure = run.restarts.failure;
  if (failure.why == Why::ended) failure.text = run.processes.last_words;
  return failure;
}

void Recovery::recover(ServiceId id) {
  if (pod_stops()) return enter(id, State::off, {.why = Why::pod_stops});
  Run& run = change(id);
  if (!run.wishes.part)
    return enter(id, State::off, why_not_part(id));  // also a task whose result was looked at
  const plan::Service& what = service(id);
  const plan::RestartPolicy& policy = what.restart;
  const bool gate_down = what.kind == plan::Kind::service && gate_is_down(id);
  Rotated services(machine_);
  if (!gate_down && values_.takes_blame_for(id, services)) return;

  const bool ended_well =
      run.restarts.failure.why == Why::ended && run.processes.last_exit && run.processes.last_exit->success();
  if (ended_well && policy.when != plan::RestartWhen::always) {
    enter(id, State::done, run.restarts.failure);
    if (what.essential)
      pod_rules().end_pod(exit_code::yes,
                          fmt::format("{} ended by itself: {}", what.name, to_text(run.restarts.failure)),
                          what.name);
    return;
  }
  // T5: what ends because its gate is down is not to blame, and not started into the void.
  if (gate_down) {
    run.restarts.start_cause = run.restarts.failure;
    return enter(id, State::waiting, run.restarts.failure);
  }
  const std::optional<Instant>& ready_at = run.restarts.ready_at;
  const bool was_stable =
      ready_at && now() - *ready_at >= policy.stable && run.restarts.failure.why != Why::never_live;
  run.restarts.record.add(policy, now(), was_stable);
  run.restarts.counted = run.restarts.record.within_window(policy, now());
  if (policy.when == plan::RestartWhen::never || run.restarts.record.exhausted(policy, now()))
    return give_up(id);
  const Nanoseconds least = run.restarts.failure.why == Why::not_spawned
                                ? run.restarts.spawn_pause
                                : run.restarts.record.least_pause(now());
  back_off(id, std::max(least, run.restarts.record.delay(policy, what.name)));
}

// A daemon that makes itself a child and exits 0 has not ended: it is out of our hands, and dies with its
// run. One that has served for a while and leaves something behind when it ends well, has ended.
bool Recovery::went_into_background(ServiceId id) const {
  const Run& run = services_.run(id);
  const bool ended_by_itself = run.stop.next == Next::recover && run.restarts.failure.why == Why::ended;
  return service(id).kind == plan::Kind::service && ended_by_itself && !pod_stops() &&
         run.processes.last_exit && run.processes.last_exit->success() &&
         (!run.restarts.ready_at || now() - *run.restarts.ready_at < still_beginning);
}

void Recovery::back_off(ServiceId id, Nanoseconds pause) {
  if (pod_stops()) return enter(id, State::off, {.why = Why::pod_stops});
  Run& run = change(id);
  const plan::RestartPolicy& policy = service(id).restart;
  if (pause == Nanoseconds{0}) {
    run.restarts.start_cause = run.restarts.failure;
    return enter(id, State::waiting, run.restarts.failure);
  }
  Cause cause = told(id);
  if (policy.budget > 0 && run.restarts.counted > 0)
    cause.count = {run.restarts.counted, policy.budget, policy.window};
  enter(id, State::backoff, cause);
  enter_phase(id, Phase::none, now() + pause);
  refresh_timer(id);
}

void Recovery::give_up(ServiceId id) {
  const plan::Service& what = service(id);
  const Run& run = services_.run(id);
  Cause cause = told(id);
  if (what.restart.when != plan::RestartWhen::never)
    cause.count = {run.restarts.counted, 0, what.restart.window};
  enter(id, State::failed, cause);
  if (what.restart.verdict != plan::Verdict::end_pod) return;
  if (what.kind == plan::Kind::task) {
    return pod_rules().end_pod(exit_code::seeding_failed,
                               fmt::format("task {} failed: {}", what.name, to_text(cause)), what.name);
  }
  if (!run.restarts.ever_ready && run.restarts.failure.why == Why::not_ready) {
    return pod_rules().end_pod(exit_code::gate_never_opened,
                               fmt::format("the gate never opened: {}: {}", what.name, to_text(cause)),
                               what.name);
  }
  pod_rules().end_pod(exit_code::essential_failed,
                      fmt::format("{} has failed: {}", what.name, to_text(cause)), what.name);
}

// A task exited with code 0.
void Recovery::ended_well(ServiceId id) {
  Run& run = change(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  run.watches.forget(numbers.end);  // a new plan may ask for other files
  for (std::uint32_t watch = numbers.verify; watch < numbers.end; ++watch) conditions().watch(id, watch);
  enter_phase(id, Phase::verifying, now() + service(id).ready_within);
  enter(id, State::starting, {.why = Why::verifies, .names = service(id).verify});
  run.waits.names = service(id).verify;
  touch(id);
}

// The gate went down: what came after it and ended in the same moment ended because of it.
void Recovery::forgive_dependents(ServiceId id) {
  for (const ServiceId other : services_.dependencies().dependents(id)) {
    if (state(other) != State::backoff) continue;
    if (now() - services_.run(other).since > shared_end || !gate_is_down(other)) continue;
    Restarts& restarts = change(other).restarts;
    restarts.record.forgive_since(now() - shared_end);
    restarts.counted = restarts.record.within_window(service(other).restart, now());
    restarts.start_cause = restarts.failure;
    enter(other, State::waiting, restarts.failure);
  }
}

}  // namespace arizuko::engine
