// A new plan: what is affected, and nothing else, is restarted in order.
#include <algorithm>

#include <fmt/format.h>

#include "machine.hpp"
#include "plan_merge.hpp"

namespace arizuko::engine {

void Engine::Machine::on(const PlanChanged& event) {
  if (stopping()) return;
  if (!values_.is_rotating()) return take_plan(*event.plan);
  next_plan_ = event.plan;
  values_.plan_waits();
  note_pod(What::plan_waits, fmt::format("a new plan waits for the end of the rotation of generation {}",
                                         values_.snapshot()->generation));
}

void Engine::Machine::take_plan(const plan::Plan& fresh) {
  const PlanPtr before = plan_;
  const MergedPlan merged = merge_plans(*before, fresh);
  if (const std::string refusal = values_.why_not(*merged.plan, *before); !refusal.empty())
    return note_pod(What::plan_refused, "the new plan is refused, the old one stays: " + refusal);
  adopt(merged.plan);
  note_pod(What::plan_taken, "a new plan is taken; " + what_changed(*before, merged));
  if (!values_.snapshot()) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) take_values(id);
  refresh_chances();
  for (const ServiceId id : merged.changed) {
    if (is_up(state(id)) && service(id).enabled)
      stop_with_bound(id, Next::start_again, {.why = Why::definition_changed});
    if (state(id) == State::failed || state(id) == State::backoff)
      try_again_with(id, {.why = Why::definition_changed});
  }
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    follow_values(dependencies_.at_rank(rank), {.why = Why::values_changed});
  }
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
