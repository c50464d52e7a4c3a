#include "dependencies.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <ranges>

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

// How many services are reachable over `links` from each, without itself. 64 of them at a time, so that a
// deep plan costs neither time nor memory by its square.
std::vector<std::uint32_t> reachable(const Lists& links, const std::vector<ServiceId>& order) {
  constexpr ServiceId block = 64;
  std::vector<std::uint32_t> count(links.size(), 0);
  std::vector<std::uint64_t> reached(links.size());
  for (ServiceId first = 0; first < links.size(); first += block) {
    for (const ServiceId id : order | std::views::reverse) {
      std::uint64_t mine = 0;
      for (const ServiceId other : links[id]) {
        mine |= reached[other];
        if (other >= first && other < first + block) mine |= std::uint64_t{1} << (other - first);
      }
      reached[id] = mine;
      count[id] += static_cast<std::uint32_t>(std::popcount(mine));
    }
  }
  return count;
}

}  // namespace

Dependencies::Dependencies(const plan::Plan& plan)
    : rank_(plan.services.size()),
      dependents_(plan.services.size()),
      prerequisites_(plan.services.size()),
      bound_(plan.services.size()) {
  std::vector<std::uint32_t> open_links(plan.services.size(), 0);
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    const plan::Service& service = plan.services[id];
    prerequisites_[id] = service.after;
    for (const auto* list : {&service.bound_to, &service.after_tried}) {
      for (const ServiceId other : *list) {
        if (std::ranges::find(prerequisites_[id], other) == prerequisites_[id].end()) {
          prerequisites_[id].push_back(other);
        }
      }
    }
    open_links[id] = static_cast<std::uint32_t>(prerequisites_[id].size());
    for (const ServiceId other : prerequisites_[id]) dependents_[other].push_back(id);
    for (const ServiceId other : service.bound_to) bound_[other].push_back(id);
  }
  by_rank_ = start_order(dependents_, open_links);
  for (std::uint32_t rank = 0; rank < by_rank_.size(); ++rank) rank_[by_rank_[rank]] = rank;
  far_dependents_ = reachable(dependents_, by_rank_);
}

}  // namespace arizuko::engine
