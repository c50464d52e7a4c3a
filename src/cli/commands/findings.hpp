// Findings and refusals on the console, for people and for scripts. Private to the cli layer.
#pragma once

#include <string>
#include <vector>

#include "arizuko/doctor/finding.hpp"
#include "cli/command.hpp"
#include "cli/prepare.hpp"

namespace arizuko::cli {

/// Errors first; returns the exit code: 78 with an error, 1 with a warning, else 0.
int print_findings(const doctor::Findings& unsorted, const std::vector<std::string>& checks, Output output,
                   const Console& console);

/// The names of checks.
template <typename Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& each : entries) names.emplace_back(each.name);
  return names;
}

/// What is wrong with the plan; returns 78.
int print_refusal(const Refusal& refused, Output output, const Console& console);

}  // namespace arizuko::cli
