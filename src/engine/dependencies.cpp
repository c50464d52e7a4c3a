#include "dependencies.hpp"

#include <algorithm>

namespace arizuko::engine {

namespace {

using Lists = std::vector<std::vector<ServiceId>>;

// Kahn's algorithm over the direct links; the plan has no cycle (plan/ refuses them).
std::vector<ServiceId> start_order(const Lists& dependents, std::vector<std::uint32_t> open_links) {
  std::vector<ServiceId> order;
  order.reserve(dependents.size());
  for (ServiceId id = 0; id < dependents.size(); ++id) {
    if (open_links[id] == 0) order.push_back(id);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const ServiceId dependent : dependents[order[next]]) {
      if (--open_links[dependent] == 0) order.push_back(dependent);
    }
  }
  return order;
}

// Everything reachable over `links`, for each service, without itself.
Lists closure(const Lists& links) {
  Lists all(links.size());
  std::vector<std::uint32_t> seen_for(links.size(), 0);
  for (ServiceId id = 0; id < links.size(); ++id) {
    std::vector<ServiceId>& reached = all[id];
    const std::uint32_t mark = id + 1;
    const auto add = [&](ServiceId other) {
      if (seen_for[other] == mark) return;
      seen_for[other] = mark;
      reached.push_back(other);
    };
    for (const ServiceId direct : links[id]) add(direct);
    for (std::size_t next = 0; next < reached.size(); ++next) {
      for (const ServiceId further : links[reached[next]]) add(further);
    }
  }
  return all;
}

}  // namespace

Dependencies::Dependencies(const plan::Plan& plan)
    : rank_(plan.services.size()), dependents_(plan.services.size()), bound_(plan.services.size()) {
  Lists prerequisites(plan.services.size());
  std::vector<std::uint32_t> open_links(plan.services.size(), 0);
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    const plan::Service& service = plan.services[id];
    prerequisites[id] = service.after;
    for (const auto* list : {&service.bound_to, &service.after_tried}) {
      for (const ServiceId other : *list) {
        if (std::ranges::find(prerequisites[id], other) == prerequisites[id].end()) {
          prerequisites[id].push_back(other);
        }
      }
    }
    open_links[id] = static_cast<std::uint32_t>(prerequisites[id].size());
    for (const ServiceId other : prerequisites[id]) dependents_[other].push_back(id);
    for (const ServiceId other : service.bound_to) bound_[other].push_back(id);
  }
  by_rank_ = start_order(dependents_, open_links);
  for (std::uint32_t rank = 0; rank < by_rank_.size(); ++rank) rank_[by_rank_[rank]] = rank;
  all_dependents_ = closure(dependents_);
  all_prerequisites_ = closure(prerequisites);
  all_bound_ = closure(bound_);
}

}  // namespace arizuko::engine
