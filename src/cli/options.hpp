// Which plan a command means, and how it is run: as plain data, filled in by commands/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arizuko/base/exit_codes.hpp"
#include "arizuko/cli/command_line.hpp"
#include "arizuko/plan/load.hpp"

namespace arizuko::cli {

enum class Mode { real, rehearsal };

/// A pod that is not this one: its files come from a manifest, and of its sources only what the manifest
/// says.
struct Elsewhere {
  std::optional<plan::File> plan;    // instead of the file that PlanOptions names
  std::vector<plan::File> drop_ins;  // behind those of that file
};

struct PlanOptions {
  std::string plan;  // empty: the default places
  std::vector<plan::Override> overrides;
  Mode mode = Mode::real;
  std::optional<Elsewhere> elsewhere;  // then no source is read but the process environment
};

struct RunOptions {
  PlanOptions plan;
  std::string control;  // wins over pod.control
  std::optional<plan::LogFormat> log;
};

/// `run`: from the plan to a running instance, and back to an exit code.
int run_instance(const RunOptions& options, const Console& console);

}  // namespace arizuko::cli
