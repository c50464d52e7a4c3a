// What no reload can change.
#pragma once

#include <string>

#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

/// Why a run under `running` cannot go on under `fresh`: its data, its lock and its children lie where the
/// run began. A clause with what would work; empty: it can.
std::string fixed_in_a_run(const plan::Pod& running, const plan::Pod& fresh);

}  // namespace arizuko::engine
