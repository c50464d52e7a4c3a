// What is wrong with a plan, said so that the reader can mend it without opening the code.
//
// A problem names where (file, line, column), which key, what is wrong and what would be right.
// Problems are values: loading collects all of them and never stops at the first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace arizuko::plan {

/// A place in a plan file. `line` and `column` count from 1; 0 means "not in a file" (--set, default).
struct Location {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool operator==(const Location&) const = default;
};

enum class Severity {
  error,    // the plan is refused
  warning,  // the plan is taken; `check` prints it and exits 0
};

struct Problem {
  Severity severity = Severity::error;
  Location where;
  std::string key;   // dotted path, e.g. "service.gated.ready.within"; empty for a syntax error
  std::string what;  // "unknown key"
  std::string fix;   // "did you mean \"within\"?"; empty when there is nothing to propose
};

using Problems = std::vector<Problem>;

/// "arizuko.toml:12:3: service.gated.prot: unknown key; did you mean \"port\"?"
std::string to_text(const Problem& problem);

/// True when at least one problem refuses the plan.
bool any_error(const Problems& problems);

}  // namespace arizuko::plan
