// Limits of the plan that nothing holds here.
#include <fmt/format.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/plan/show.hpp"

namespace arizuko::doctor {

Findings check_control_groups(const Context& context) {
  Findings found;
  for (const host::IdleLimits& each : host::limits_without_effect(context.plan, context.groups)) {
    const plan::Service& service = context.plan.services[each.service];
    const std::string kind = service.kind == plan::Kind::task ? "task" : "service";
    add(found, Severity::warning, "control-groups", service.where, fmt::format("{}.{}", kind, service.name),
        fmt::format("{} without effect: {}", plan::to_text(each.limits), each.why),
        fmt::format("{} may use more than that, and take it from everybody else", service.name),
        "in a systemd unit Delegate=yes; in a pod set the container's own limit, or take it out of the plan");
  }
  return found;
}

}  // namespace arizuko::doctor
