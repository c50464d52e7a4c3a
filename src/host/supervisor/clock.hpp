// The two clocks of the host: monotonic for decisions, wall for people.
#pragma once

#include <cstdint>
#include <ctime>

#include "arizuko/engine/time.hpp"

namespace arizuko::host {

struct Clock {
  static engine::Instant now() { return engine::Instant(engine::Nanoseconds(read(CLOCK_MONOTONIC))); }
  static std::int64_t unix_nanoseconds() { return read(CLOCK_REALTIME); }

 private:
  static std::int64_t read(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }
};

}  // namespace arizuko::host
