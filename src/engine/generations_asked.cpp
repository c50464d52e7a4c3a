// What operators and services ask of the generations of values, and what people see of them.
#include <utility>

#include "arizuko/env/scope.hpp"
#include "generations.hpp"
#include "values_text.hpp"

namespace arizuko::engine {

// ---------------------------------------------------------------------------------------------
// Time

std::optional<Instant> Generations::deadline() const {
  if (rotation_) return rotation_->deadline();
  std::optional<Instant> first = in_force_.snapshot ? held_.due() : std::nullopt;
  if (waiting_ && waiting_->until && (!first || *waiting_->until < *first)) first = waiting_->until;
  return first;
}

void Generations::forgive_lateness(Instant now) {
  if (rotation_) rotation_->forgive_lateness(now);
}

// True: it was due, and what was read meanwhile is offered again.
bool Generations::retry_what_is_due(RotatedServices& services) {
  const std::vector<std::string> keys = held_.release_due(services.now());
  if (keys.empty()) return false;
  changed_ = held_changed_ = true;
  services.note({.what = What::value_retried, .cause = retried_text(keys)});
  services.emit(ReadSources{ReadSources::For::retry});
  return true;
}

// ---------------------------------------------------------------------------------------------
// The operator

void Generations::accept(const Accept& event, RotatedServices& services) {
  if (!in_force_.snapshot) return;
  if (held_.accept(event.key)) {
    services.note({.what = What::value_accepted, .cause = accepted_text(event.key, event.by)});
    operator_waits_ = true;
    services.emit(ReadSources{ReadSources::For::operator_});  // it comes back as a generation of its own
    return;
  }
  if (accept_at_boot(event, services)) return;
  services.note({.what = What::value_not_held, .cause = not_held_text(event.key, event.by)});
}

// At boot: what blocks the services that see it is in force, but for them.
bool Generations::accept_at_boot(const Accept& event, RotatedServices& services) {
  if (!in_force_.unlike_last_run.contains(event.key) || held_.guarded().is_used(event.key)) return false;
  held_.guarded().accept(event.key, env::seen_as(services.plan(), event.key, *in_force_.snapshot));
  services.note({.what = What::value_accepted, .cause = accepted_text(event.key, event.by)});
  changed_ = true;
  put_in_force(in_force_, services);
  return true;
}

void Generations::retry(const Retry& event, RotatedServices& services) {
  if (!in_force_.snapshot) return;
  const std::vector<std::string> keys = held_.retry(event.key);
  if (keys.empty()) {
    return services.note({.what = What::value_not_held, .cause = nothing_to_retry_text(event.key, event.by)});
  }
  services.note({.what = What::value_retried, .cause = retried_text(keys, event.by)});
  operator_waits_ = true;
  changed_ = held_changed_ = true;
  services.emit(ReadSources{ReadSources::For::operator_});
}

// ---------------------------------------------------------------------------------------------
// Around a run

void Generations::before_run(ServiceId id, const env::Snapshot* last, RotatedServices& services) {
  const plan::Service& what = services.plan().services[id];
  for (Remember& each : held_.guarded().before_run(services.plan(), what, *in_force_.snapshot))
    services.emit(std::move(each));
  if (last == nullptr) return;
  for (LoginFiles& each : logins_.before_run(id, what.cached, *last, *in_force_.snapshot))
    services.emit(std::move(each));
}

void Generations::started(ServiceId id, const RotatedServices& services) {
  if (!has_turn_to_come(id)) return;
  changed_ = true;
  rotation_->started(id, services);
}

// While a rotation is under way, the new password has not proved good yet.
void Generations::ready(ServiceId id, RotatedServices& services) {
  if (!rotation_) forget_logins(id, services);
}

void Generations::forget_logins(ServiceId id, RotatedServices& services) {
  for (LoginFiles& each : logins_.forget(id)) services.emit(std::move(each));
}

std::vector<std::string> Generations::unaccepted(const plan::Plan& plan, const plan::Service& service) const {
  return held_.guarded().unaccepted(plan, service, in_force_);
}

std::string Generations::why_not(const plan::Plan& fresh, const plan::Plan& plan) const {
  if (!in_force_.snapshot) return "";
  const std::optional<std::string> key = held_.guarded().changed_by(fresh, plan, *in_force_.snapshot);
  return key ? plan_changes_guarded_text(*key) : "";
}

// ---------------------------------------------------------------------------------------------
// What people see

std::optional<WaitingValuesView> Generations::waiting_view() const {
  if (!waiting_) return std::nullopt;
  const env::Generation generation = waiting_->offer.snapshot->generation;
  if (rotation_) return WaitingValuesView{generation, under_way_text(rotation_->record().generation), {}};
  if (waiting_->until) return WaitingValuesView{generation, waiting_->cause, waiting_->until};
  return std::nullopt;
}

void Generations::show(View& view, const plan::Plan& plan, Instant now) {
  if (std::exchange(changed_, false)) {
    view.values.generation = in_force_.snapshot ? in_force_.snapshot->generation : 0;
    view.values.values_since = in_force_.snapshot ? std::optional(in_force_.since) : std::nullopt;
    view.values.rotation = rotation_ ? std::optional(rotation_->record()) : last_;
    view.values.rotations = outcomes_;
    view.values.waiting_values = waiting_view();
  }
  if (std::exchange(held_changed_, false)) view.values.held_keys = held_.view(plan, in_force_, now);
}

}  // namespace arizuko::engine
