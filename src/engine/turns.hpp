// The order in which services take their turn in a rotation: what others come after goes first, and among
// equals the least critical, so that a wrong value meets as few of them as can be. Pure functions.
#pragma once

#include <optional>
#include <set>

#include "dependencies.hpp"

namespace arizuko::engine {

/// The next of `pending`; nullopt: none is left.
std::optional<ServiceId> next_in_turn(const plan::Plan& plan, const Dependencies& dependencies,
                                      const std::set<ServiceId>& pending);

/// The pod cannot do without it: it is essential, or in ready_when.
bool is_indispensable(const plan::Plan& plan, ServiceId id);

}  // namespace arizuko::engine
