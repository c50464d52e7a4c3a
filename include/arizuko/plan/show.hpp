// The resolved plan as people and programs read it: `arizuko-init check` and `check --json`.
//
// Shows what was understood: defaults filled in, references replaced, start order. Environment
// references are shown as references: no value of the environment is ever part of the output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

std::string to_text(const Plan& plan);
/// `files`: those that the plan was read from; told when there are any.
std::string to_json(const Plan& plan, const std::vector<std::string>& files = {});

/// `${NAME:-x}` written back: "http://${NAME:-x}/".
std::string to_text(const Template& text);

/// Likewise, or `{ join = ",", of = ["a=${A}"] }`.
std::string to_text(const EnvValue& value);

/// "1m30s", "250ms": the shortest exact form, which the parser also reads.
std::string to_text(Duration duration);

/// "512Mi", "2Gi": the shortest exact form, which the parser also reads; "1000 bytes" where there is none.
std::string size_text(std::uint64_t bytes);

/// "memory_high 256Mi, memory_max 512Mi, pids_max 100"; empty without any.
std::string to_text(const GroupLimits& limits);

}  // namespace arizuko::plan
