// A node that froze, a debugger: nobody looked at what a deadline is about. What came meanwhile is told next,
// and what has to be looked at needs a look: the time begins anew, for as long as nobody looked.
#pragma once

#include <algorithm>
#include <optional>

#include "arizuko/engine/time.hpp"

namespace arizuko::engine {

/// Later than that is late: PID 1 itself was stopped or starved, and with it, as a rule, the whole pod.
inline constexpr std::chrono::seconds in_time{1};

/// A deadline that is judged late is put off, by at most its `full_time`.
inline void forgive_lateness(std::optional<Instant>& deadline, Instant now, Nanoseconds full_time) {
  if (deadline && now - *deadline > in_time) deadline = now + std::min(now - *deadline, full_time);
}

}  // namespace arizuko::engine
