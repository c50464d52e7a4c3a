// The view, the history, the timers, and the loop that lets one change have all its consequences.
#include <algorithm>

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

Engine::Machine::Machine(PlanPtr plan, Bounds bounds)
    : plan_(std::move(plan)),
      dependencies_(*plan_),
      runs_(plan_->services.size()),
      bounds_(bounds),
      timer_(plan_->services.size()) {
  view_.instance = plan_->pod.instance;
  view_.cause = "arizuko-init was started";
  for (const plan::Service& each : plan_->services) view_.services.push_back(fresh_view(each));
  list_tasks();
  refresh_chances();
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
  view.why = Why::values_not_read;
  view.cause = to_text(Cause{});
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
  forgive_lateness();
  std::visit([this](const auto& each) { on(each); }, event);
  std::size_t rounds = 0;
  do {
    settle();
    fire_due_timers();
  } while (!too_many(rounds++, "the steps of a rotation") && advance_values());
  refresh_pod();
  values_.show(view_, *plan_, now_);
  actions_ = nullptr;
}

void Engine::Machine::enter(ServiceId id, State to, const Cause& cause) {
  ServiceView& view = shown(id);
  const State from = view.state;
  view.waiting_for.clear();
  view.waiting_for_services.clear();
  runs_[id].cause = cause;
  view.state = to;
  view.why = cause.why;
  view.cause = to_text(cause);
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
            .cause = view.cause,
            .why = cause.why,
            .origin = origin(cause)});
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

// Whoever decides by this service's state: what comes after it, and what looks through it (had_its_chance);
// and what waits for it to stop.
void Engine::Machine::touch_neighbours(ServiceId id) {
  refresh_chance(id);
  if (queued_ > 0) touch_what_waits_to_stop(id);
}

// Up to the next one that is being stopped itself: what is above that waits for that one (goes_after).
void Engine::Machine::touch_what_waits_to_stop(ServiceId id) {
  std::vector<ServiceId> path = {id};
  std::vector<bool> seen(runs_.size(), false);
  while (!path.empty()) {
    const ServiceId at = path.back();
    path.pop_back();
    for (const ServiceId other : dependencies_.prerequisites(at)) {
      if (seen[other]) continue;
      seen[other] = true;
      if (runs_[other].phase == StopPhase::queued) touch(other);
      if (!is_being_stopped(other)) path.push_back(other);
    }
  }
}

void Engine::Machine::settle() {
  std::size_t rounds = 0;
  while (!touched_.empty() && !too_many(rounds++, "the consequences of an event")) {
    const ServiceId id = dependencies_.at_rank(*touched_.begin());
    touched_.erase(touched_.begin());
    consider(id);
    refresh_timer(id);
  }
}

// Also true once the run has ended by it: then nothing more follows.
bool Engine::Machine::too_many(std::size_t rounds, const char* what) {
  if (view_.state == PodState::ended) return true;
  if (rounds < bounds_.rounds_a_service * (runs_.size() + 1)) return false;
  end_by_fault(fmt::format("{} do not end: {} steps for {} services", what, rounds, runs_.size()));
  return true;
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
  const std::optional<Instant> of_values = stopping() ? std::nullopt : values_.deadline();
  for (const std::optional<Instant>& at : {kill_at_, view_.stop_deadline, of_values}) {
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

}  // namespace arizuko::engine
