// What a check has found: what is wrong, why that matters, where, and what would mend it.
//
// Data only. A finding names keys, files and numbers, never a value that may be a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/problem.hpp"

namespace arizuko::doctor {

enum class Severity {
  error,    // the instance will not work, or will lose something
  warning,  // it works, but something that was promised does not hold
  note,     // good to know; changes no exit code
};
std::string_view to_text(Severity severity);

struct Finding {
  Severity severity = Severity::error;
  std::string check;     // the check's name: "data-dir"
  plan::Location where;  // a file, with line and column where there are any; a source of values
  std::string key;       // dotted path in the plan or the manifest, or a variable's name; may be empty
  std::string what;
  std::string why;
  std::string fix;
};
using Findings = std::vector<Finding>;

/// A list of one, and one more: out of line and by views, for there are a hundred callers.
Findings one(Severity severity, std::string_view check, const plan::Location& where, std::string_view key,
             std::string_view what, std::string_view why, std::string_view fix);
void add(Findings& all, Severity severity, std::string_view check, const plan::Location& where,
         std::string_view key, std::string_view what, std::string_view why, std::string_view fix);

struct Count {
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t notes = 0;
};
Count count(const Findings& findings);

/// "/etc/arizuko/arizuko.toml:12: service.gated.need", as far as it is known.
std::string place_text(const Finding& finding);

/// `more` behind `all`.
void append(Findings& all, Findings more);

}  // namespace arizuko::doctor
