// The resolved plan as people and programs read it: `arizuko-init check` and `check --json`.
//
// Shows what was understood: defaults filled in, references replaced, start order. Environment
// references are shown as references: no value of the environment is ever part of the output.
#pragma once

#include <string>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

std::string to_text(const Plan& plan);
std::string to_json(const Plan& plan);

/// `${NAME:-x}` written back: "http://${NAME:-x}/".
std::string to_text(const Template& text);

/// "1m30s", "250ms": the shortest exact form, which the parser also reads.
std::string to_text(Duration duration);

}  // namespace arizuko::plan
