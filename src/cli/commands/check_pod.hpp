// `check --pod`: a rendered Kubernetes manifest held against the plan.
#pragma once

#include <string>

#include "cli/command.hpp"
#include "cli/options.hpp"

namespace arizuko::cli {

/// `file` is "-" for stdin. Returns the exit code: 0, 1 with warnings only, 78.
int check_pod(const std::string& file, const PlanOptions& plan, Output output, const Console& console);

}  // namespace arizuko::cli
