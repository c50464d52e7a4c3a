// A phase has lasted its time.
#include "timeouts.hpp"
#include "lateness.hpp"
#include "recovery.hpp"
#include "starting.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

namespace {

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

void Timeouts::forgive_lateness() {
  for (const ServiceId id : services_.agenda().before(now() - in_time)) {
    const Phase phase = services_.run(id).phase;
    if (service(id).kind != plan::Kind::service) continue;
    if (phase == Phase::settling || phase == Phase::running)
      engine::forgive_lateness(change(id).due, now(), service(id).ready_within);
    refresh_timer(id);
  }
  values_.forgive_lateness(now());
}

// The phase has lasted its time.
void Timeouts::fire_timer(ServiceId id) {
  Run& run = change(id);
  // A late Tick: a condition may have been due to be dropped before the time was over.
  if (run.phase == Phase::settling && service(id).kind == plan::Kind::service) starting().consider_ready(id);
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
      return stopping().stop(id, Next::recover, Stopping::Order::at_once, run.restarts.failure);
    case Phase::rereading: return starting().task_is_done(id);
    case Phase::queued: return;  // who it waits for has a time of its own
    case Phase::told:
    case Phase::killed: return stopping().kill_main(id);
    case Phase::leftovers:
    case Phase::leftovers_killed: return stopping().kill_leftovers(id);
  }
}

// It did not become ready, or a task did not end.
void Timeouts::too_late(ServiceId id) {
  Run& run = change(id);
  if (service(id).kind == plan::Kind::task) {
    run.restarts.failure = {.why = Why::not_ended, .time = service(id).ready_within};
  } else {
    run.restarts.failure = {
        .why = Why::not_ready, .names = run.waits.names, .time = service(id).ready_within};
  }
  stopping().stop(id, Next::recover, Stopping::Order::at_once, run.restarts.failure);
}

}  // namespace arizuko::engine
