// A new plan: what is affected, and nothing else, is restarted in order.
#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "machine.hpp"

namespace arizuko::engine {

namespace {

// What a running process or its watches depend on; the rest of a definition can change under it.
bool same_process(plan::Service before, const plan::Service& after) {
  before.description = after.description;
  before.enabled = after.enabled;
  before.enabled_when = after.enabled_when;
  before.after = after.after;
  before.after_tried = after.after_tried;
  before.bound_to = after.bound_to;
  before.restart = after.restart;
  before.stop = after.stop;
  before.essential = after.essential;
  before.ready_within = after.ready_within;
  before.on_change = after.on_change;
  before.change_signal = after.change_signal;
  before.drop = after.drop;
  // Values are compared by what comes out of them (follow_values).
  before.take = after.take;
  before.need = after.need;
  before.env = after.env;
  before.cached = after.cached;
  return before == after;
}

// "changed: teled (restarts), gated; new: linkd; gone: ttsd", or that nothing of a service did.
std::string what_changed(const plan::Plan& before, const plan::Plan& after,
                         const std::vector<ServiceId>& restarting) {
  constexpr std::size_t most_named = 20;
  std::map<std::string_view, std::vector<std::string>> lists;
  const auto restarts = [&](ServiceId id) { return std::ranges::find(restarting, id) != restarting.end(); };
  for (ServiceId id = 0; id < after.services.size(); ++id) {
    const plan::Service& each = after.services[id];
    if (id >= before.services.size()) {
      lists["new"].push_back(each.name);
    } else if (each != before.services[id]) {
      const bool gone = before.services[id].enabled && !each.enabled;
      lists[gone ? "off" : "changed"].push_back(each.name + (restarts(id) && !gone ? " (restarts)" : ""));
    }
  }
  std::string text;
  for (auto& [what, names] : lists) {
    const std::size_t more = names.size() > most_named ? names.size() - most_named : 0;
    names.resize(names.size() - more);
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", what, fmt::join(names, ", "));
    if (more > 0) text += fmt::format(" and {} more", more);
  }
  return text.empty() ? "no definition of a service or task changed" : text;
}

}  // namespace

void Engine::Machine::on(const PlanChanged& event) {
  if (stopping()) return;
  if (!values_.is_rotating()) return take_plan(*event.plan);
  next_plan_ = event.plan;
  values_.plan_waits();
  note_pod(What::plan_waits, fmt::format("a new plan waits for the end of the rotation of generation {}",
                                         values_.snapshot()->generation));
}

void Engine::Machine::take_plan(const plan::Plan& fresh) {
  std::vector<ServiceId> changed;
  const PlanPtr before = plan_;
  PlanPtr merged = merged_with(fresh, changed);
  if (const std::string refusal = values_.why_not(*merged, *plan_); !refusal.empty())
    return note_pod(What::plan_refused, "the new plan is refused, the old one stays: " + refusal);
  adopt(std::move(merged));
  note_pod(What::plan_taken, "a new plan is taken; " + what_changed(*before, *plan_, changed));
  if (!values_.snapshot()) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) take_values(id);
  refresh_chances();
  for (const ServiceId id : changed) {
    if (is_up(state(id)) && service(id).enabled)
      stop_with_bound(id, Next::start_again, {.why = Why::definition_changed});
    if (state(id) == State::failed || state(id) == State::backoff)
      try_again_with(id, {.why = Why::definition_changed});
  }
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    follow_values(dependencies_.at_rank(rank), {.why = Why::values_changed});
  }
}

// Services keep their numbers: those of the running plan first, at their places, then the new ones.
// What the new plan has no more stays as a disabled entry.
PlanPtr Engine::Machine::merged_with(const plan::Plan& fresh, std::vector<ServiceId>& changed) const {
  plan::Plan merged = fresh;
  merged.services = plan_->services;
  std::vector<ServiceId> number(fresh.services.size());
  const std::size_t before = merged.services.size();
  for (ServiceId id = 0; id < fresh.services.size(); ++id) {
    const plan::Service& each = fresh.services[id];
    const auto same = std::ranges::find_if(plan_->services, [&](const plan::Service& old) {
      return old.name == each.name && old.kind == each.kind;
    });
    number[id] = static_cast<ServiceId>(same - plan_->services.begin());
    if (same == plan_->services.end()) {
      number[id] = static_cast<ServiceId>(merged.services.size());
      merged.services.push_back(each);
    }
  }
  const auto renumber = [&](std::vector<ServiceId>& list) {
    for (ServiceId& id : list) id = number[id];
  };
  std::vector<bool> kept(merged.services.size(), false);
  for (ServiceId id = 0; id < fresh.services.size(); ++id) {
    plan::Service each = fresh.services[id];
    renumber(each.after);
    renumber(each.bound_to);
    renumber(each.after_tried);
    kept[number[id]] = true;
    if (number[id] < before && !same_process(plan_->services[number[id]], each))
      changed.push_back(number[id]);
    merged.services[number[id]] = std::move(each);
  }
  renumber(merged.pod.ready_when);
  for (ServiceId id = 0; id < merged.services.size(); ++id) {
    if (kept[id]) continue;
    plan::Service& gone = merged.services[id];
    gone.enabled = false;
    gone.after.clear();
    gone.bound_to.clear();
    gone.after_tried.clear();
  }
  return std::make_shared<const plan::Plan>(std::move(merged));
}

void Engine::Machine::adopt(PlanPtr merged) {
  const PlanPtr before = plan_;
  plan_ = std::move(merged);
  dependencies_ = Dependencies(*plan_);
  list_tasks();
  agenda_.resize(plan_->services.size());
  runs_.resize(plan_->services.size());
  view_.services.resize(plan_->services.size());
  for (ServiceId id = 0; id < plan_->services.size(); ++id) {
    if (id >= before->services.size()) {
      change(id).since = now();
    } else if (before->services[id].ready != service(id).ready ||
               before->services[id].live != service(id).live) {
      // A run whose conditions changed is restarted; nothing is known of the new ones.
      change(id).watches.forget(watch_numbers(service(id)).end);
    }
    change(id);
    touch(id);
  }
  refresh_chances();
}

}  // namespace arizuko::engine
