// How long to wait before a restart, and when to give up. Pure arithmetic on instants.
#pragma once

#include <string_view>
#include <vector>

#include "arizuko/engine/time.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

/// The failures of one service that still count.
class FailureRecord {
 public:
  /// A failure happened. `was_stable`: it had been ready for RestartPolicy::stable before, so the
  /// back-off starts anew (the budget's window does not).
  void add(const plan::RestartPolicy& policy, Instant now, bool was_stable);
  /// The last failure was not this service's own: its gate went down with it (T5).
  void forgive_since(Instant earliest);
  void clear();

  /// The failures within the policy's window reach its budget.
  bool exhausted(const plan::RestartPolicy& policy, Instant now) const;
  std::uint32_t within_window(const plan::RestartPolicy& policy, Instant now) const;

  /// The pause before the next start, with jitter taken from `name` and the number of failures: the
  /// same history gives the same pause, two services do not restart in step.
  Nanoseconds delay(const plan::RestartPolicy& policy, std::string_view name) const;

  /// The least pause, whatever the policy says: none for 50 failures in a burst, then 100 ms, so that a
  /// service that ends at once is not started more than ten times a second for long.
  Nanoseconds least_pause(Instant now) const;

 private:
  std::vector<Instant> times_;  // few; and an empty one costs nothing, as a deque would
  std::uint32_t in_a_row_ = 0;  // 1: the first one after a stable time, or ever
  std::uint32_t total_ = 0;
  Instant paid_until_{};        // a tenth of a second for each failure
  bool first_is_free_ = false;  // the row began after a stable time: its first restart is at once
};

}  // namespace arizuko::engine
