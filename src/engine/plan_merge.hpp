// A new plan beside the one that runs: which service is which, and what of it a running process can see.
//
// Pure functions of two plans. What follows for the services: plan_change.cpp.
#pragma once

#include <string>
#include <vector>

#include "arizuko/engine/event.hpp"

namespace arizuko::engine {

struct MergedPlan {
  /// Services keep their numbers: those of the running plan first, at their places, matched by name and kind;
  /// then the new ones. What the new plan has no more stays as a disabled entry.
  PlanPtr plan;
  /// Whose process, or whose watches, the new definition does not fit any more.
  std::vector<ServiceId> changed;
};

MergedPlan merge_plans(const plan::Plan& running, const plan::Plan& fresh);

/// "changed: teled (restarts), gated; new: linkd; off: ttsd", or that nothing of a service did.
std::string what_changed(const plan::Plan& running, const MergedPlan& merged);

}  // namespace arizuko::engine
