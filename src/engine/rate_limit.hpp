// The rate limit: how often rotations may restart one service (rotation.hpp: most_rotations within
// rotation_window). A machine of its own: it counts, and knows nothing of values; time is an argument.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "arizuko/engine/time.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

class RateLimit {
 public:
  /// A generation has to wait: for whose sake, and until its oldest restart that counts is long enough ago.
  struct Wait {
    Instant until;
    plan::ServiceId service;
    std::size_t restarts;  // within the window
  };

  void restarted(plan::ServiceId service, Instant now);
  /// Of a generation that would restart all of these: the longest wait; nullopt: none has to wait.
  std::optional<Wait> wait_of(const std::vector<plan::ServiceId>& services, Instant now);

 private:
  std::map<plan::ServiceId, std::vector<Instant>> restarts_;  // within the window, oldest first
};

}  // namespace arizuko::engine
