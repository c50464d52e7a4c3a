// Which run of which service.
#pragma once

#include <compare>
#include <cstdint>

#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

using plan::ServiceId;
using RunNumber = std::uint32_t;

/// One run of one service: from its start until nothing of it is left.
struct RunId {
  ServiceId service = 0;
  RunNumber number = 0;  // counts from 1 for each service; 0: none yet
  auto operator<=>(const RunId&) const = default;
};

}  // namespace arizuko::engine
