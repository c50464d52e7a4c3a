// As far as an output of a child has to be read before something is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/logs/log_pipe.hpp"

namespace arizuko::host {

struct ReadGoal {
  std::shared_ptr<LogPipe> pipe;
  std::uint64_t taken;
  bool reached() const { return !pipe->is_open() || pipe->taken() >= taken; }
};

inline bool all_reached(const std::vector<ReadGoal>& goals) {
  return std::ranges::all_of(goals, &ReadGoal::reached);
}

}  // namespace arizuko::host
