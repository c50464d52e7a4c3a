// Where each key of one service or task comes from: file, line, template. For `check --explain`.
//
// Shows what was written, with references to the plan replaced and those to the environment left; no value of
// the environment and no value of a header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/load.hpp"

namespace arizuko::plan {

struct Origin {
  Location where;    // of the value
  std::string from;  // "template adapter", "like teled"; empty: written in its own table
};

struct ExplainedValue {
  std::string text;
  enum class Form { text, word } form = Form::text;  // a word is a number, true or false: never in quotes
  Origin origin;
};

/// A key that somebody wrote: "stop.timeout", "live.http[1].url". Of a list each part has an origin of its
/// own.
struct ExplainedKey {
  std::string key;
  enum class Kind { one, list } kind = Kind::one;
  std::vector<ExplainedValue> values;  // of Kind::one exactly one
  Origin origin;
};

/// All keys of `name` that are not a default, in the order of docs/reference/plan.md; nullopt: there is no
/// such service or task. `files` and `overrides` are those that `plan` was loaded from.
std::optional<std::vector<ExplainedKey>> explain(const Plan& plan, const std::vector<File>& files,
                                                 const std::vector<Override>& overrides,
                                                 std::string_view name);

}  // namespace arizuko::plan
