// What must be true after every step, whichever it was, and when the world has come to rest.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "invariants.hpp"

namespace arizuko::sim {

using std::chrono::seconds;

void Invariants::check_service(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  if (view.state != run.state) broken(id, "the view and the history disagree on its state");
  if (view.cause.empty()) broken(id, "its state has no cause");
  if (view.run.pid.has_value() != run.main)
    broken(id, "the view shows a process that is not there, or hides one");
  if (!is_up(run.state) && run.alive()) broken(id, "it has processes in a state without any");
  if (!is_up(run.state) && !run.watching.empty()) broken(id, "it is watched though it does not run");
  if ((run.state == State::ready || run.state == State::unready) && !run.main)
    broken(id, "it serves without a process");
  if (run.state == State::ready) see_ready(id);
  if (contains(to_forgive_, id) && run.state == State::backoff && gate_is_down(id)) {
    broken(id, "it failed in the moment its gate went down, and was not forgiven (T5)");
  }
  if (died_live_ == id && runs(run.state)) broken(id, "its liveness failed and nothing follows");
  if (ended_) return;
  check_time(id);
  if (stopping_since_ || !taken_) return;
  check_wait(id);
  check_bonds(id);
  const bool is_service = service(id).kind == plan::Kind::service;
  if (!turn_ && is_service && runs(run.state) && !part(id))
    broken(id, "it runs though it is not part of the instance any more");
}

// Every wait has a deadline, or its state names what it waits for; and waits for a reason.
void Invariants::check_wait(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  const bool names_it = !view.waiting_for.empty();
  switch (run.state) {
    case State::waiting: {
      bool for_a_reason = false;
      for (const ServiceId other : service(id).after) for_a_reason = for_a_reason || !serving(other);
      for_a_reason = for_a_reason || something_moves_before(id);
      for (const ServiceId other : service(id).bound_to) for_a_reason = for_a_reason || is_to_restart(other);
      if (!for_a_reason) broken(id, "it waits for nothing");
      if (!names_it || view.waiting_for.size() != view.waiting_for_services.size())
        broken(id, "it does not say for whom it waits");
      return;
    }
    case State::blocked: {
      std::vector<std::string> lacks = env::missing(service(id), *taken_);
      for (const std::string& key : env::scope(*plan_, service(id))) {
        if (env::missing(service(id), *taken_).empty() && taken_->unusable.contains(key))
          lacks.push_back(key);
      }
      if (!lacks.empty() ? view.waiting_for != lacks
                         : view.waiting_for.size() != unaccepted(id).size() || unaccepted(id).empty())
        broken(id, "it does not say which values are missing, or have to be accepted");
      return;
    }
    case State::backoff:
      if (!view.runs.next_start) broken(id, "its back-off has no end");
      return;
    case State::off:
      if (part(id) && !run.switched_off) broken(id, "it is off, but part of the instance");
      return;
    case State::unready:
    case State::stopping:
      if (!names_it) broken(id, "it does not say what it waits for");
      return;
    case State::failed:
      if (!part(id)) broken(id, "it is not part of the instance, and yet failed");
      return;
    case State::starting:
    case State::ready:
    case State::done: return;
  }
}

// Times that were given are kept.
void Invariants::check_time(ServiceId id) {
  const Shadow& run = shadows_[id];
  const ServiceView& view = view_->services[id];
  if (run.main && run.told && now_ >= *run.told + run.timeout && !run.main_killed) {
    broken(id, "it ignores its stop signal and was not killed in time");
  }
  if (run.leftovers && now_ >= run.exited_at + run.leftovers_timeout && !run.leftovers_killed) {
    broken(id, "its leftovers were not killed in time");
  }
  const Nanoseconds grace = plan_->pod.grace;
  const bool last_call =
      stopping_since_ && now_ >= *stopping_since_ + grace - std::min<Nanoseconds>(seconds(2), grace / 5);
  if (last_call && ((run.main && !run.main_killed) || (run.leftovers && !run.leftovers_killed))) {
    broken(id, "the grace is nearly over and it was not killed");
  }
  // Twice what nobody looked at: it is late by so much, and given so much again.
  if (run.state == State::starting && run.main && now_ >= run.spawned_at + run.within + 2 * run.unobserved) {
    broken(id, "it was not ready within its time, and nothing follows");
  }
  if (view.runs.next_start && run.state != State::backoff)
    broken(id, "it shows a next start outside of back-off");
  if (run.state == State::backoff && view.runs.next_start) {
    if (*view.runs.next_start <= now_) broken(id, "its back-off is over and it does not start");
    const plan::RestartPolicy& policy = service(id).restart;
    const double longest =
        std::max(static_cast<double>(policy.max_delay.count()) * (1.0 + policy.jitter), 6400.0);
    const auto pause =
        std::chrono::duration_cast<std::chrono::milliseconds>(*view.runs.next_start - view.since);
    const bool since_this_plan = !run.plan_changed_while_stopping;
    if (since_this_plan && static_cast<double>(pause.count()) > longest)
      broken(id, "its back-off is longer than the cap");
  }
  if (service(id).kind == plan::Kind::service) check_live(id);
}

// T6: nobody is bound to a run that is over while its successor serves.
void Invariants::check_bonds(ServiceId id) {
  const Shadow& run = shadows_[id];
  if (!runs(run.state) || !run.alive()) return;
  for (const auto& [other, bond] : run.bonds) {
    if (!contains(service(id).bound_to, other)) continue;
    if (shadows_[other].state == State::ready && shadows_[other].spawn != bond) {
      broken(id, fmt::format("it is bound to an old run of {} (T6)", service(other).name));
    }
  }
}

// A liveness condition that fails from the start counts once its allowed failures are over.
void Invariants::check_live(ServiceId id) {
  const Shadow& run = shadows_[id];
  plan::Duration longest{};
  for (const plan::Condition& live : service(id).live)
    longest = std::max(longest, live.every * live.failures);
  const std::uint32_t first = watch_numbers(service(id)).live;
  for (std::uint32_t i = 0; i < service(id).live.size(); ++i) {
    const bool only_then = service(id).live[i].looked_at == plan::LookedAt::while_ready;
    if (only_then && runs(run.state) && run.state != State::ready && run.watching.contains(first + i))
      broken(id, "what says something only while it is ready is looked at while it is not");
    if (only_then && run.state == State::ready && run.main && !run.watching.contains(first + i))
      broken(id, "it is ready, and what is looked at then is not");
  }
  for (const auto& [watch, since] : run.never_live_since) {
    if (run.watching.contains(watch) && now_ >= since + longest + 2 * run.unobserved)
      broken(id, "its liveness never held and nothing follows");
  }
}

void Invariants::check_pod() {
  if (view_->ready) {
    if (stopping_since_) throw Broken("the pod is ready while it is stopping");
    for (const ServiceId id : plan_->pod.ready_when) {
      if (!serving(id)) throw Broken("the pod is ready, but " + service(id).name + " is not");
    }
  }
  if (opened_ != view_->opened) throw Broken("the pod opened without a note, or a note lied");
  if (stopping_since_ && !ended_ && now_ >= *stopping_since_ + plan_->pod.grace) {
    throw Broken("the grace is over and the run is not");
  }
  if (stopping_since_ && !ended_ && std::ranges::none_of(shadows_, &Shadow::alive)) {
    throw Broken("nothing lives any more and the run does not end");
  }
  if (view_->state == PodState::ended && !ended_) throw Broken("the run ended without Exit");
  if (taken_ && !stopping_since_ && view_->values.generation != taken_->generation) {
    throw Broken("the generation that is shown is not the one in force");
  }
}

void Invariants::at_rest(const Engine& engine) const {
  if (ended_ || stopping_since_) return;
  std::vector<bool> expected(shadows_.size(), false);
  const auto will_serve = [&](ServiceId other) { return serving(other) || expected[other]; };
  for (ServiceId id = 0; id < shadows_.size(); ++id) {  // more than once: numbers are no order after a reload
    for (ServiceId each = 0; each < shadows_.size(); ++each) {
      const State state = shadows_[each].state;
      const bool may =
          part(each) && !shadows_[each].switched_off && state != State::failed && state != State::blocked;
      expected[each] = may && std::ranges::all_of(service(each).after, will_serve);
    }
  }
  if (turn_ || !open_.empty()) throw Broken("all faults are over, and a generation has no outcome");
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    const State state = shadows_[id].state;
    const bool follows =
        service(id).kind == plan::Kind::service && service(id).on_change != plan::OnChange::ignore;
    if (runs(state) && follows && has_old_values(id)) broken(id, "it runs with old values for ever");
    if (expected[id] && state != State::ready && state != State::done) {
      broken(id, fmt::format("all faults are over, what it comes after is ready, and it stays {} for ever: "
                             "{} (waiting for {})",
                             engine::to_text(state), engine.view().services[id].cause,
                             fmt::join(engine.view().services[id].waiting_for, ", ")));
    }
    if (state == State::stopping || state == State::starting || state == State::backoff ||
        state == State::unready) {
      broken(id, fmt::format("it stays {} for ever", engine::to_text(state)));
    }
  }
}

}  // namespace arizuko::sim
