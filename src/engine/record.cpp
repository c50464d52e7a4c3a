// The view, the history, the timers, and the loop that lets one change have all its consequences.
#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "machine.hpp"

namespace arizuko::engine {

namespace {

std::vector<ConditionView> condition_views(const std::vector<plan::Condition>& conditions) {
  std::vector<ConditionView> views;
  for (const plan::Condition& condition : conditions) {
    views.push_back({plan::to_text(condition), ConditionView::Is::unknown, ""});
  }
  return views;
}

}  // namespace

Engine::Machine::Machine(PlanPtr plan)
    : plan_(std::move(plan)),
      dependencies_(*plan_),
      runs_(plan_->services.size()),
      timer_(plan_->services.size()) {
  view_.instance = plan_->pod.instance;
  view_.cause = "arizuko-init was started";
  for (const plan::Service& each : plan_->services) view_.services.push_back(fresh_view(each));
  list_tasks();
}

void Engine::Machine::list_tasks() {
  tasks_.clear();
  for (ServiceId id = 0; id < plan_->services.size(); ++id) {
    if (service(id).kind == plan::Kind::task) tasks_.push_back(id);
  }
}

ServiceView Engine::Machine::fresh_view(const plan::Service& each) const {
  ServiceView view;
  view.name = each.name;
  view.kind = each.kind;
  view.essential = each.essential;
  view.port = each.port;
  view.state = State::waiting;
  view.since = now_;
  view.cause = "the values of the environment have not been read yet";
  view.waiting_for = {"the values of the environment"};
  view.readiness = condition_views(each.ready);
  view.liveness = condition_views(each.live);
  return view;
}

void Engine::Machine::handle(const Event& event, Instant now, std::vector<Action>& actions) {
  if (view_.state == PodState::ended) return;
  actions_ = &actions;
  if (view_.started == Instant{}) {
    view_.started = view_.since = now;
    for (ServiceView& each : view_.services) each.since = now;
  }
  now_ = std::max(now_, now);
  std::visit([this](const auto& each) { on(each); }, event);
  do {
    settle();
    fire_due_timers();
  } while (advance_rotation());
  refresh_pod();
  actions_ = nullptr;
}

void Engine::Machine::enter(ServiceId id, State to, const std::string& cause) {
  ServiceView& view = shown(id);
  const State from = view.state;
  view.waiting_for.clear();
  view.waiting_for_services.clear();
  if (from == to && view.cause == cause) return;
  view.state = to;
  view.cause = cause;
  if (to != State::backoff) {
    runs_[id].next_start.reset();
    view.next_start.reset();
  }
  if (from == to) return;
  view.since = now_;
  emit(Note{.seq = ++seq_,
            .what = What::state_changed,
            .service = view.name,
            .from = from,
            .to = to,
            .cause = cause});
  touch(id);
  touch_neighbours(id);
  if (from == State::ready) forgive_dependents(id);
}

void Engine::Machine::wait_for_services(ServiceId id, std::vector<ServiceId> others) {
  ServiceView& view = shown(id);
  view.waiting_for.clear();
  for (const ServiceId other : others) view.waiting_for.push_back(service(other).name);
  view.waiting_for_services = std::move(others);
}

void Engine::Machine::wait_for_conditions(ServiceId id) {
  ServiceView& view = shown(id);
  view.waiting_for.clear();
  view.waiting_for_services.clear();
  for (const ConditionView& condition : view.readiness) {
    if (condition.is == ConditionView::Is::holds || condition.is == ConditionView::Is::dropped) continue;
    view.waiting_for.push_back(
        condition.detail.empty() ? condition.text : fmt::format("{} ({})", condition.text, condition.detail));
  }
}

void Engine::Machine::note(What what, ServiceId id, std::string cause) {
  emit(Note{.seq = ++seq_, .what = what, .service = service(id).name, .cause = std::move(cause)});
}

void Engine::Machine::note_pod(What what, std::string cause) { note_generation(what, 0, std::move(cause)); }

// A note of one generation; 0: of the pod.
void Engine::Machine::note_generation(What what, env::Generation generation, std::string cause) {
  emit(Note{.seq = ++seq_, .what = what, .cause = std::move(cause), .generation = generation});
}

void Engine::Machine::touch(ServiceId id) { touched_.insert(dependencies_.rank(id)); }

// Whoever decides by this service's state: what comes after it, near and far (had_its_chance looks
// through what waits), and what waits for it to stop.
void Engine::Machine::touch_neighbours(ServiceId id) {
  for (const ServiceId other : dependencies_.all_dependents(id)) touch(other);
  for (const ServiceId other : dependencies_.all_prerequisites(id)) {
    if (runs_[other].phase == StopPhase::queued) touch(other);
  }
}

void Engine::Machine::settle() {
  // Each consideration ends in a state that only a new fact leaves; the bound catches a rule that
  // would chase its own tail, which the simulation then reports.
  [[maybe_unused]] std::size_t rounds = 0;
  while (!touched_.empty()) {
    const ServiceId id = dependencies_.at_rank(*touched_.begin());
    touched_.erase(touched_.begin());
    consider(id);
    refresh_timer(id);
    ++rounds;
    assert(rounds < 1000 + 100 * runs_.size() * runs_.size() && "settle() does not settle");
  }
}

std::optional<Instant> Engine::Machine::timer_of(ServiceId id) const {
  const Runtime& run = runs_[id];
  std::optional<Instant> first;
  const auto consider_instant = [&](const std::optional<Instant>& at) {
    if (at && (!first || *at < *first)) first = at;
  };
  consider_instant(run.start_deadline);
  consider_instant(run.live_deadline);
  consider_instant(run.phase_deadline);
  consider_instant(run.next_start);
  if (state(id) == State::starting && run.main_alive && service(id).kind == plan::Kind::service) {
    const std::vector<plan::Condition>& ready = service(id).ready;
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const bool open =
          run.watched[i] == ConditionView::Is::unknown || run.watched[i] == ConditionView::Is::fails;
      if (ready[i].wait && open) consider_instant(run.spawned_at + *ready[i].wait);
    }
  }
  return first;
}

void Engine::Machine::refresh_timer(ServiceId id) {
  const std::optional<Instant> wanted = timer_of(id);
  if (wanted == timer_[id]) return;
  if (timer_[id]) timers_.erase({*timer_[id], id});
  if (wanted) timers_.insert({*wanted, id});
  timer_[id] = wanted;
}

std::optional<Instant> Engine::Machine::deadline() const {
  if (view_.state == PodState::ended) return std::nullopt;
  std::optional<Instant> first;
  if (!timers_.empty()) first = timers_.begin()->first;
  const std::optional<Instant> of_rotation = rotation_ ? rotation_->deadline : next_values_at_;
  for (const std::optional<Instant>& at : {kill_at_, view_.stop_deadline, of_rotation}) {
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

}  // namespace arizuko::engine
