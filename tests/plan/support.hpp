// What the plan layer's tests share: loading a text, and the text of its problems.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "arizuko/plan/load.hpp"

namespace arizuko::plan::testing {

inline Lookup environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string{name});
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

inline std::expected<Plan, Problems> load_text(const std::string& text, std::vector<Override> overrides = {},
                                               std::map<std::string, std::string> values = {}) {
  return load({{"p.toml", text}}, overrides, environment(std::move(values)));
}

inline std::string lines(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) out += to_text(problem) + "\n";
  return out;
}

/// All problems of a plan, warnings too, one a line; "" for a clean plan.
inline std::string problems_of(const std::string& text, std::vector<Override> overrides = {},
                               std::map<std::string, std::string> values = {}) {
  const auto plan = load_text(text, std::move(overrides), std::move(values));
  return plan ? lines(plan->warnings) : lines(plan.error());
}

}  // namespace arizuko::plan::testing
