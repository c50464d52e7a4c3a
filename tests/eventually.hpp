// Waiting for something that another process does: it is looked for, with a bound; nothing sleeps and hopes.
#pragma once

#include <chrono>
#include <functional>

#include <poll.h>

namespace arizuko::tests {

/// Looks every millisecond until `done` or `limit` is over; returns what it was in the end.
inline bool eventually(const std::function<bool()>& done,
                       std::chrono::milliseconds limit = std::chrono::seconds(15)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace arizuko::tests
