#include "arizuko/plan/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace arizuko::plan {

std::string to_text(const Problem& problem) {
  const Location& where = problem.where;
  std::string out;
  if (!where.file.empty()) {
    out =
        where.line == 0 ? where.file + ": " : fmt::format("{}:{}:{}: ", where.file, where.line, where.column);
  }
  if (problem.severity == Severity::warning) out += "warning: ";
  const bool said = where.file == "--set " + problem.key;
  if (!problem.key.empty() && !said) out += problem.key + ": ";
  out += problem.what;
  if (!problem.fix.empty()) out += "; " + problem.fix;
  return out;
}

bool any_error(const Problems& problems) {
  return std::ranges::any_of(problems, [](const Problem& p) { return p.severity == Severity::error; });
}

}  // namespace arizuko::plan
