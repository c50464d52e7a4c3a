// Which form the log of a run has: what was asked for, else what fits whoever reads stdout.
#pragma once

#include "arizuko/host/logs/log_output.hpp"
#include "options.hpp"

namespace arizuko::cli {

/// --log, else pod.log, else console on a terminal, journal where stdout is systemd's journal, else json.
plan::LogFormat log_format(const RunOptions& options, const plan::Plan& plan, const Console& console);

host::LogFormatter formatter_for(plan::LogFormat format, const plan::Plan& plan, const Console& console);

}  // namespace arizuko::cli
