// How a run is brought to its end.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "conditions.hpp"
#include "recovery.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

namespace {

// How often a SIGKILL is repeated to a process that is still there (it may sleep in the kernel).
constexpr std::chrono::seconds kill_again{1};

}  // namespace

void Stopping::stop(ServiceId id, Next next, Order order, const Cause& cause) {
  Run& run = change(id);
  run.stop.next = next;  // the later wish wins; what was switched off stays off: run_is_over
  if (next == Next::start_again) run.restarts.start_cause = cause;
  if (!run.processes.any()) {
    // Only a task that is being looked at has a state of its own and no process.
    conditions().unwatch_all(id);
    enter(id, State::stopping, cause);
    return run_is_over(id);
  }
  if (run.state == State::stopping) return;
  run.stop.ordered = order == Order::dependents_first;
  enter_phase(id, Phase::queued);
  conditions().unwatch_all(id);
  enter(id, State::stopping, cause);
  touch(id);
}

// A planned stop: what registered with it goes first, while it can still say goodbye, and comes back
// when it is ready again (T37).
void Stopping::stop_with_bound(ServiceId id, Next next, const Cause& cause) {
  const Cause along{.why = next == Next::start_again ? Why::dependency_restarts : Why::dependency_stops,
                    .names = {service(id).name},
                    .because = std::make_shared<const Cause>(cause)};
  for (const ServiceId other : up_and_bound(id)) {
    if (state(other) == State::stopping) continue;
    stop(other, Next::start_again, Order::dependents_first, along);
  }
  stop(id, next, Order::dependents_first, cause);
}

// Who has to be gone before this one is told to stop: the nearest ones that are being stopped as well (a new
// plan may have bound others to it since). What is behind these is waited for by them.
std::vector<ServiceId> Stopping::goes_after(ServiceId id) const {
  const bool no_time_left = pod_stops() && (pod_.stop_requests > 1 || !pod_.kill_at);
  if (!services_.run(id).stop.ordered || no_time_left) return {};
  std::vector<ServiceId> others;
  std::vector<ServiceId> path = {id};
  std::vector<bool> seen(services_.size(), false);
  while (!path.empty()) {
    const ServiceId at = path.back();
    path.pop_back();
    for (const ServiceId other :
         pod_stops() ? services_.dependencies().dependents(at) : services_.dependencies().bound(at)) {
      if (seen[other]) continue;
      seen[other] = true;
      if (is_being_stopped(other)) {
        others.push_back(other);
      } else if (!services_.run(other).stop.nothing_below) {
        path.push_back(other);
      }
    }
  }
  return others;
}

void Stopping::advance_stop(ServiceId id) {
  Run& run = change(id);
  if (run.phase != Phase::queued) return;
  std::vector<ServiceId> others = goes_after(id);
  const bool must_wait = !others.empty();
  wait_for_services(id, std::move(others));
  if (must_wait) return;
  run.stop.nothing_below = run.stop.ordered && pod_stops() && pod_.kill_at &&
                           pod_.stop_requests <= 1;  // nothing is started any more
  if (run.processes.spawn_pending) {                 // its answer touches it again
    run.waits.names = {"its start, which is under way"};
    return;
  }
  if (run.processes.main_alive) return signal_main(id);
  main_is_gone(id);
}

// Of what is asked of it now, at most until SIGKILL is due to everything.
Instant Stopping::within(Nanoseconds time) const {
  return pod_.kill_at ? std::min(now() + time, *pod_.kill_at) : now() + time;
}

void Stopping::signal_main(ServiceId id) {
  Run& run = change(id);
  if (pod_stops() && !pod_.kill_at) return kill_main(id);
  enter_phase(id, Phase::told, within(service(id).stop.timeout));
  run.stop.told_at = now();
  emit(Signal{run_of(id), Target::main, service(id).stop.signal});
  note(What::signal_sent, id,
       fmt::format("{} to its main process: {}", signal_name(service(id).stop.signal), to_text(run.cause)));
  run.waits.names = {fmt::format("its main process (pid {})", run.processes.pid.value_or(0))};
}

std::string Stopping::why_killed(ServiceId id) const {
  if (services_.run(id).phase != Phase::told) return "no time is left to ask it";
  return fmt::format("it did not end within {} of {}", duration_text(now() - services_.run(id).stop.told_at),
                     signal_name(service(id).stop.signal));
}

void Stopping::kill_main(ServiceId id) {
  Run& run = change(id);
  if (run.phase != Phase::killed) note(What::killed, id, "SIGKILL to its main process: " + why_killed(id));
  enter_phase(id, Phase::killed, now() + kill_again);
  run.waits = {
      .names = {fmt::format("its main process (pid {}), which got SIGKILL", run.processes.pid.value_or(0))}};
  emit(Signal{run_of(id), Target::main, sigkill});
}

void Stopping::main_is_gone(ServiceId id) {
  Run& run = change(id);
  if (!run.processes.leftovers) return run_is_over(id);
  enter_phase(id, Phase::leftovers, within(service(id).stop.leftovers));
  enter(id, State::stopping, run.state == State::stopping ? run.cause : run.restarts.failure);
  run.waits = {.names = {fmt::format("leftovers: {}", run.processes.leftovers_text)}};
  refresh_timer(id);
  if (pod_stops() && !pod_.kill_at) kill_leftovers(id);
}

void Stopping::kill_leftovers(ServiceId id) {
  Run& run = change(id);
  if (run.phase != Phase::leftovers_killed) {
    if (recovery().went_into_background(id)) {
      run.restarts.failure = {
          .why = Why::in_background, .text = run.processes.leftovers_text, .status = run.processes.last_exit};
    }
    note(What::killed, id,
         fmt::format("SIGKILL to what its last run left: {}", run.processes.leftovers_text));
  }
  enter_phase(id, Phase::leftovers_killed, now() + kill_again);
  emit(Signal{run_of(id), Target::leftovers, sigkill});
}

// Nothing of the run is left. What now?
void Stopping::run_is_over(ServiceId id) {
  Run& run = change(id);
  const Cause cause = run.cause;
  enter_phase(id, Phase::none);
  touch(id);
  touch_neighbours(id);
  if (pod_stops()) return enter(id, State::off, cause);
  if (run.stop.next != Next::verify && (run.wishes.switched_off || !run.wishes.part)) {
    return enter(id, State::off, run.wishes.switched_off ? cause : why_not_part(id));
  }
  switch (run.stop.next) {
    case Next::recover: return recovery().recover(id);
    case Next::stay_off: return enter(id, State::off, cause);
    case Next::start_again: return enter(id, State::waiting, cause);
    case Next::verify: return recovery().ended_well(id);
  }
}

}  // namespace arizuko::engine
