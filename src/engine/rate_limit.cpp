#include "rate_limit.hpp"

#include "arizuko/engine/rotation.hpp"

namespace arizuko::engine {

void RateLimit::restarted(plan::ServiceId service, Instant now) { restarts_[service].push_back(now); }

std::optional<RateLimit::Wait> RateLimit::wait_of(const std::vector<plan::ServiceId>& services, Instant now) {
  for (auto& [service, times] : restarts_)
    std::erase_if(times, [&](Instant at) { return now - at >= rotation_window; });
  std::optional<Wait> longest;
  for (const plan::ServiceId service : services) {
    const auto times = restarts_.find(service);
    if (times == restarts_.end() || times->second.size() < most_rotations) continue;
    const std::size_t count = times->second.size();
    const Instant until = times->second[count - most_rotations] + rotation_window;
    if (!longest || longest->until < until) longest = {until, service, count};
  }
  return longest;
}

}  // namespace arizuko::engine
