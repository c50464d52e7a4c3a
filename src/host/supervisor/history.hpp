// The run's history, bounded: what `events` shows.
#pragma once

#include <deque>
#include <vector>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::host {

class History {
 public:
  static constexpr std::size_t max_events = 4096;  // the oldest go first

  /// Keeps one note of the engine; times are stamped here, the engine has no wall clock.
  const HistoryEvent& add(const engine::Note& note, std::int64_t unix_nanoseconds);
  /// Events with seq > after, oldest first, at most `limit`.
  std::vector<HistoryEvent> since(std::uint64_t after, std::size_t limit) const;

 private:
  std::deque<HistoryEvent> events_;
};

}  // namespace arizuko::host
