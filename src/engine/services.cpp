// The services: facts, near questions, the history.
#include <algorithm>

#include "services.hpp"

namespace arizuko::engine {

Services::Services(PlanPtr plan)
    : plan_(std::move(plan)),
      dependencies_(*plan_),
      runs_(plan_->services.size()),
      is_changed_(plan_->services.size(), false),
      agenda_(plan_->services.size()) {
  for (ServiceId id = 0; id < runs_.size(); ++id) change(id);
  list_tasks();
  refresh_chances();
}

Run& Services::change(ServiceId id) {
  if (!is_changed_[id]) changed_.push_back(id);
  is_changed_[id] = true;
  return runs_[id];
}

std::vector<ServiceId> Services::take_changed() {
  for (const ServiceId id : changed_) is_changed_[id] = false;
  return std::exchange(changed_, {});
}

void Services::adopt(PlanPtr merged) {
  const PlanPtr before = std::exchange(plan_, std::move(merged));
  dependencies_ = Dependencies(*plan_);
  list_tasks();
  agenda_.resize(plan_->services.size());
  runs_.resize(plan_->services.size());
  is_changed_.resize(plan_->services.size(), false);
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    Run& run = change(id);
    if (id >= before->services.size()) {
      run.since = now();
    } else if (before->services[id].ready != service(id).ready ||
               before->services[id].live != service(id).live) {
      // A run whose conditions changed is restarted; nothing is known of the new ones.
      run.watches.forget(watch_numbers(service(id)).end);
    }
    touch(id);
  }
  refresh_chances();
}

// A service that is not part of this instance is nothing to wait for.
bool Services::unmet(ServiceId other) const {
  if (!runs_[other].wishes.part && state(other) == State::off) return false;
  return state(other) != State::ready && state(other) != State::done;
}

// From its own state and the near answers, which are kept: a question costs the same in any plan.
bool Services::work_out_chance(ServiceId id) const {
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
void Services::refresh_chance(ServiceId id) {
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
void Services::refresh_chances() {
  had_chance_.resize(runs_.size());
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    const ServiceId id = dependencies_.at_rank(rank);
    had_chance_[id] = work_out_chance(id);
  }
}

bool Services::gate_is_down(ServiceId id) const {
  return std::ranges::any_of(service(id).after, [this](ServiceId other) { return unmet(other); });
}

// What is bound to it, near and far; what is bound to something that does not run told nobody anything.
std::vector<ServiceId> Services::up_and_bound(ServiceId id) const {
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

bool Services::is_being_stopped(ServiceId id) const {
  return state(id) == State::stopping && runs_[id].processes.any();
}

void Services::enter_phase(ServiceId id, Phase phase, std::optional<Instant> due) {
  Run& run = change(id);
  if (run.phase == Phase::queued) --queued_;
  if (phase == Phase::queued) ++queued_;
  run.phase = phase;
  run.due = due;
}

Cause Services::why_not_part(ServiceId id) const {
  return {.why = Why::not_part, .text = runs_[id].wishes.not_part_why};
}

bool Services::is_current(RunId run) const {
  return run.service < runs_.size() && runs_[run.service].number == run.number;
}

void Services::list_tasks() {
  tasks_.clear();
  for (ServiceId id = 0; id < plan_->services.size(); ++id) {
    if (service(id).kind == plan::Kind::task) tasks_.push_back(id);
  }
}

State Services::enter(ServiceId id, State to, const Cause& cause) {
  Run& run = change(id);
  const State from = std::exchange(run.state, to);
  run.cause = cause;
  run.waits = {};
  if (from == to) return from;
  if (from == State::backoff) run.due.reset();
  run.since = now();
  record_.note({.what = What::state_changed,
                .service = service(id).name,
                .from = from,
                .to = to,
                .cause = to_text(run.cause),
                .why = run.cause.why,
                .origin = origin(run.cause)});
  touch(id);
  touch_neighbours(id);
  return from;
}

void Services::wait_for_services(ServiceId id, std::vector<ServiceId> others) {
  Waits waits;
  for (const ServiceId other : others) waits.names.push_back(service(other).name);
  waits.services = std::move(others);
  change(id).waits = std::move(waits);
}

void Services::note(What what, ServiceId id, std::string cause) {
  record_.note({.what = what, .service = service(id).name, .cause = std::move(cause)});
}

void Services::note_pod(What what, std::string cause) {
  record_.note({.what = what, .cause = std::move(cause)});
}

void Services::touch(ServiceId id) { agenda_.touch(dependencies_.rank(id)); }

// Whoever decides by this service's state: what comes after it, and what looks through it (had_its_chance);
// and what waits for it to stop.
void Services::touch_neighbours(ServiceId id) {
  refresh_chance(id);
  if (queued_ > 0) touch_what_waits_to_stop(id);
}

// Up to the next one that is being stopped itself: what is above that waits for that one (goes_after).
void Services::touch_what_waits_to_stop(ServiceId id) {
  std::vector<ServiceId> path = {id};
  std::vector<bool> seen(runs_.size(), false);
  while (!path.empty()) {
    const ServiceId at = path.back();
    path.pop_back();
    for (const ServiceId other : dependencies_.prerequisites(at)) {
      if (seen[other]) continue;
      seen[other] = true;
      if (runs_[other].phase == Phase::queued) touch(other);
      if (!is_being_stopped(other)) path.push_back(other);
    }
  }
}

std::optional<Instant> Services::timer_of(ServiceId id) const {
  const Run& run = runs_[id];
  std::optional<Instant> first = run.due;
  if (run.phase != Phase::settling || service(id).kind != plan::Kind::service) return first;
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t watch = 0; watch < ready.size(); ++watch) {
    if (!ready[watch].wait || !run.watches.open(watch)) continue;
    const Instant dropped = run.processes.spawned_at + *ready[watch].wait;
    if (!first || dropped < *first) first = dropped;
  }
  return first;
}

void Services::refresh_timer(ServiceId id) { agenda_.set_timer(id, timer_of(id)); }

}  // namespace arizuko::engine
