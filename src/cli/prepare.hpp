// From the command line's words to a plan and the values it runs with: for run, check and reload.
//
// Reads the plan's files and the sources of the environment; starts nothing and writes nothing. No
// value is ever part of what it says.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/load.hpp"
#include "options.hpp"
#include "which_plan.hpp"

namespace arizuko::cli {

struct Prepared {
  PlanChoice choice;  // its file is the one to read again
  plan::Plan plan;
  env::Snapshot snapshot;            // generation 0: the caller numbers it
  std::vector<std::string> notices;  // what an operator should know, one sentence each
  std::vector<plan::File> files;     // what the plan was made of, and what overrode it
  std::vector<plan::Override> overrides;
};

struct Refusal {
  int exit_code = exit_code::wrong_plan;
  plan::Problems problems;         // of the plan
  std::vector<std::string> lines;  // everything else that is wrong
  /// All of it, a line each.
  std::string text() const;
};

enum class Values {
  needed,    // a source that cannot be read, or not knowing which plan fits, refuses the run
  optional,  // `check` works without the pod's secrets: it becomes a notice
};

/// `process_environment` is `environ`.
std::expected<Prepared, Refusal> prepare(const PlanOptions& options, Values values,
                                         char** process_environment);

/// /proc/self/exe, resolved; empty when it cannot be read.
std::string own_executable();

}  // namespace arizuko::cli
