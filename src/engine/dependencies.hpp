// Who comes after whom, precomputed for one plan.
#pragma once

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
  /// Services that name `id` in bound_to.
  const std::vector<ServiceId>& bound(ServiceId id) const { return bound_[id]; }
  /// Everything that has to stop before `id`, near and far.
  const std::vector<ServiceId>& all_dependents(ServiceId id) const { return all_dependents_[id]; }
  /// Everything that `id` comes after, near and far.
  const std::vector<ServiceId>& all_prerequisites(ServiceId id) const { return all_prerequisites_[id]; }
  /// Everything bound to `id`, near and far: it stops before a planned restart of `id` (T37).
  const std::vector<ServiceId>& all_bound(ServiceId id) const { return all_bound_[id]; }

 private:
  std::vector<std::uint32_t> rank_;
  std::vector<ServiceId> by_rank_;
  std::vector<std::vector<ServiceId>> dependents_, bound_, all_dependents_, all_prerequisites_, all_bound_;
};

}  // namespace arizuko::engine
