// Who comes after whom, precomputed for one plan. Near links only: a closure of a deep plan grows by its
// square; what looks further walks (Machine::goes_after).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

using plan::ServiceId;

class Dependencies {
 public:
  explicit Dependencies(const plan::Plan& plan);

  /// Position in start order: what a service comes after has a lower rank.
  std::uint32_t rank(ServiceId id) const { return rank_[id]; }
  ServiceId at_rank(std::uint32_t rank) const { return by_rank_[rank]; }

  /// Services that name `id` in after or after_tried (bound_to is part of after).
  const std::vector<ServiceId>& dependents(ServiceId id) const { return dependents_[id]; }
  /// Services that `id` names in after or after_tried.
  const std::vector<ServiceId>& prerequisites(ServiceId id) const { return prerequisites_[id]; }
  /// Services that name `id` in bound_to.
  const std::vector<ServiceId>& bound(ServiceId id) const { return bound_[id]; }
  /// How many come after `id`, near and far.
  std::size_t far_dependents(ServiceId id) const { return far_dependents_[id]; }

 private:
  std::vector<std::uint32_t> rank_;
  std::vector<ServiceId> by_rank_;
  std::vector<std::vector<ServiceId>> dependents_, prerequisites_, bound_;
  std::vector<std::uint32_t> far_dependents_;
};

}  // namespace arizuko::engine
