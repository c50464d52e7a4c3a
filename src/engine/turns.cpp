#include "turns.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

namespace arizuko::engine {

namespace {

bool is_asked_for(const plan::Plan& plan, ServiceId id) {
  return std::ranges::find(plan.pod.ready_when, id) != plan.pod.ready_when.end();
}

}  // namespace

bool is_indispensable(const plan::Plan& plan, ServiceId id) {
  return plan.services[id].essential || is_asked_for(plan, id);
}

std::optional<ServiceId> next_in_turn(const plan::Plan& plan, const Dependencies& dependencies,
                                      const std::set<ServiceId>& pending) {
  const auto criticality = [&](ServiceId id) {
    return std::tuple(plan.services[id].essential, is_asked_for(plan, id), dependencies.far_dependents(id),
                      dependencies.rank(id));
  };
  std::optional<ServiceId> next;
  std::vector<bool> held(plan.services.size(), false);  // it is pending itself, or comes after one that is
  for (std::uint32_t rank = 0; rank < plan.services.size(); ++rank) {
    const ServiceId id = dependencies.at_rank(rank);
    const bool is_pending = pending.contains(id);
    const bool comes_after_one =
        std::ranges::any_of(dependencies.prerequisites(id), [&](ServiceId other) { return held[other]; });
    held[id] = is_pending || comes_after_one;
    if (!is_pending || comes_after_one) continue;
    if (!next || criticality(id) < criticality(*next)) next = id;
  }
  return next;
}

}  // namespace arizuko::engine
