// A new plan: what is affected, and nothing else, is restarted in order.
#include "plan_change.hpp"
#include "following.hpp"
#include "plan_merge.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

void PlanChange::take_plan(const plan::Plan& fresh) {
  const PlanPtr before = services_.plan();
  const MergedPlan merged = merge_plans(*before, fresh);
  if (const std::string refusal = values_.why_not(*merged.plan, *before); !refusal.empty())
    return note_pod(What::plan_refused, "the new plan is refused, the old one stays: " + refusal);
  services_.adopt(merged.plan);
  note_pod(What::plan_taken, "a new plan is taken; " + what_changed(*before, merged));
  if (!values_.snapshot()) return;
  for (ServiceId id = 0; id < services_.size(); ++id) following().take_values(id);
  refresh_chances();
  for (const ServiceId id : merged.changed) {
    if (is_up(state(id)) && service(id).enabled)
      stopping().stop_with_bound(id, Next::start_again, {.why = Why::definition_changed});
    if (state(id) == State::failed || state(id) == State::backoff)
      following().try_again_with(id, {.why = Why::definition_changed});
  }
  for (std::uint32_t rank = 0; rank < services_.size(); ++rank) {
    following().follow_values(services_.dependencies().at_rank(rank), {.why = Why::values_changed});
  }
}

}  // namespace arizuko::engine
