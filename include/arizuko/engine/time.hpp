// The engine's time: an argument, never read from a clock.
#pragma once

#include <chrono>

namespace arizuko::engine {

/// Tags time points that only the host makes (from CLOCK_MONOTONIC: a suspended machine must not look
/// like a service that hangs) and the engine only compares.
struct EngineTime {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
};

using Instant = std::chrono::time_point<EngineTime, std::chrono::nanoseconds>;
using Nanoseconds = std::chrono::nanoseconds;

}  // namespace arizuko::engine
