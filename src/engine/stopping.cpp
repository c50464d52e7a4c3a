// How a run is brought to its end: its main process first, the rest of its tree after it (T22), and
// before both whatever depends on it.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

// How often a SIGKILL is repeated to a process that is still there (it may sleep in the kernel).
constexpr std::chrono::seconds kill_again{1};

}  // namespace

void Engine::Machine::stop(ServiceId id, Next next, Order order, const Cause& cause) {
  Runtime& run = runs_[id];
  if (!run.anything_alive()) {
    // Only a task that is being looked at has a state of its own and no process.
    run.checking = false;
    run.awaiting_values = false;
    run.start_deadline.reset();
    run.next = next;
    if (next == Next::start_again) run.start_cause = cause;
    unwatch_all(id);
    enter(id, State::stopping, cause);
    return run_is_over(id);
  }
  if (state(id) == State::stopping) {
    run.next = next;  // the later wish wins; what was switched off stays off: run_is_over
    if (next == Next::start_again) run.start_cause = cause;
    return;
  }
  run.next = next;
  if (next == Next::start_again) run.start_cause = cause;
  run.start_deadline.reset();
  run.live_deadline.reset();
  run.ordered = order == Order::dependents_first;
  enter_phase(id, StopPhase::queued);
  unwatch_all(id);
  enter(id, State::stopping, cause);
  touch(id);
}

// A planned stop: what registered with it goes first, while it can still say goodbye, and comes back
// when it is ready again (T37).
void Engine::Machine::stop_with_bound(ServiceId id, Next next, const Cause& cause) {
  const Cause along{.why = next == Next::start_again ? Why::dependency_restarts : Why::dependency_stops,
                    .names = {service(id).name},
                    .because = std::make_shared<const Cause>(cause)};
  for (const ServiceId other : up_and_bound(id)) {
    if (state(other) == State::stopping) continue;
    stop(other, Next::start_again, Order::dependents_first, along);
  }
  stop(id, next, Order::dependents_first, cause);
}

// What is bound to it, near and far; what is bound to something that does not run told nobody anything.
std::vector<ServiceId> Engine::Machine::up_and_bound(ServiceId id) const {
  std::vector<ServiceId> list = {id};
  std::vector<bool> seen(runs_.size(), false);
  for (std::size_t next = 0; next < list.size(); ++next) {
    for (const ServiceId other : dependencies_.bound(list[next])) {
      if (seen[other] || !is_up(state(other))) continue;
      seen[other] = true;
      list.push_back(other);
    }
  }
  list.erase(list.begin());
  return list;
}

bool Engine::Machine::is_being_stopped(ServiceId id) const {
  return state(id) == State::stopping && runs_[id].anything_alive();
}

void Engine::Machine::enter_phase(ServiceId id, StopPhase phase) {
  StopPhase& now = runs_[id].phase;
  if (now == StopPhase::queued) --queued_;
  if (phase == StopPhase::queued) ++queued_;
  now = phase;
}

// Who has to be gone before this one is told to stop: the nearest ones that are being stopped as well (a new
// plan may have bound others to it since). What is behind these is waited for by them.
std::vector<ServiceId> Engine::Machine::goes_after(ServiceId id) const {
  const bool no_time_left = stopping() && (stop_requests_ > 1 || !kill_at_);
  if (!runs_[id].ordered || no_time_left) return {};
  std::vector<ServiceId> others;
  std::vector<ServiceId> path = {id};
  std::vector<bool> seen(runs_.size(), false);
  while (!path.empty()) {
    const ServiceId at = path.back();
    path.pop_back();
    for (const ServiceId other : stopping() ? dependencies_.dependents(at) : dependencies_.bound(at)) {
      if (seen[other]) continue;
      seen[other] = true;
      if (is_being_stopped(other)) {
        others.push_back(other);
      } else if (!runs_[other].nothing_below) {
        path.push_back(other);
      }
    }
  }
  return others;
}

void Engine::Machine::advance_stop(ServiceId id) {
  Runtime& run = runs_[id];
  if (run.phase != StopPhase::queued) return;
  std::vector<ServiceId> others = goes_after(id);
  const bool must_wait = !others.empty();
  wait_for_services(id, std::move(others));
  if (must_wait) return;
  run.nothing_below =
      run.ordered && stopping() && kill_at_ && stop_requests_ <= 1;  // nothing is started any more
  if (run.spawn_pending) {                                           // its answer touches it again
    shown(id).waiting_for = {"its start, which is under way"};
    return;
  }
  if (run.main_alive) return signal_main(id);
  main_is_gone(id);
}

void Engine::Machine::signal_main(ServiceId id) {
  Runtime& run = runs_[id];
  if (stopping() && !kill_at_) return kill_main(id);
  enter_phase(id, StopPhase::main);
  run.told_at = now_;
  run.phase_deadline = now_ + service(id).stop.timeout;
  if (kill_at_) run.phase_deadline = std::min(*run.phase_deadline, *kill_at_);
  emit(Signal{run_of(id), Target::main, service(id).stop.signal});
  note(What::signal_sent, id,
       fmt::format("{} to its main process: {}", signal_name(service(id).stop.signal), to_text(run.cause)));
  shown(id).waiting_for = {fmt::format("its main process (pid {})", shown(id).pid.value_or(0))};
}

std::string Engine::Machine::why_killed(ServiceId id) const {
  if (runs_[id].phase != StopPhase::main) return "no time is left to ask it";
  return fmt::format("it did not end within {} of {}", duration_text(now_ - runs_[id].told_at),
                     signal_name(service(id).stop.signal));
}

void Engine::Machine::kill_main(ServiceId id) {
  Runtime& run = runs_[id];
  if (run.phase != StopPhase::main_killed) {
    note(What::killed, id, "SIGKILL to its main process: " + why_killed(id));
  }
  enter_phase(id, StopPhase::main_killed);
  run.phase_deadline = now_ + kill_again;
  shown(id).waiting_for = {
      fmt::format("its main process (pid {}), which got SIGKILL", shown(id).pid.value_or(0))};
  shown(id).waiting_for_services.clear();
  emit(Signal{run_of(id), Target::main, sigkill});
}

void Engine::Machine::main_is_gone(ServiceId id) {
  Runtime& run = runs_[id];
  if (!run.leftovers) return run_is_over(id);
  enter_phase(id, StopPhase::leftovers);
  run.phase_deadline = now_ + service(id).stop.leftovers;
  if (kill_at_) run.phase_deadline = std::min(*run.phase_deadline, *kill_at_);
  enter(id, State::stopping, state(id) == State::stopping ? run.cause : run.failure);
  shown(id).waiting_for = {fmt::format("leftovers: {}", run.leftovers_text)};
  refresh_timer(id);
  if (stopping() && !kill_at_) kill_leftovers(id);
}

void Engine::Machine::kill_leftovers(ServiceId id) {
  Runtime& run = runs_[id];
  if (run.phase != StopPhase::leftovers_killed) {
    if (went_into_background(id)) {
      run.failure = {.why = Why::in_background, .text = run.leftovers_text, .status = shown(id).last_exit};
    }
    note(What::killed, id, fmt::format("SIGKILL to what its last run left: {}", run.leftovers_text));
  }
  enter_phase(id, StopPhase::leftovers_killed);
  run.phase_deadline = now_ + kill_again;
  emit(Signal{run_of(id), Target::leftovers, sigkill});
}

void Engine::Machine::on_stop_deadline(ServiceId id) {
  switch (runs_[id].phase) {
    case StopPhase::none:
    case StopPhase::queued: return;
    case StopPhase::main:
    case StopPhase::main_killed: return kill_main(id);
    case StopPhase::leftovers:
    case StopPhase::leftovers_killed: return kill_leftovers(id);
  }
}

// Nothing of the run is left. What now?
void Engine::Machine::run_is_over(ServiceId id) {
  Runtime& run = runs_[id];
  const Cause cause = run.cause;
  enter_phase(id, StopPhase::none);
  run.phase_deadline.reset();
  touch(id);
  touch_neighbours(id);
  if (stopping()) {
    enter(id, State::off, cause);
    return;
  }
  if (run.next != Next::verify && (run.switched_off || !run.part)) {
    return enter(id, State::off, run.switched_off ? cause : why_not_part(id));
  }
  switch (run.next) {
    case Next::recover: return recover(id);
    case Next::stay_off: return enter(id, State::off, cause);
    case Next::start_again: return enter(id, State::waiting, cause);
    case Next::verify: return ended_well(id);
  }
}

}  // namespace arizuko::engine
