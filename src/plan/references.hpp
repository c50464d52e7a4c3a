// References: `${NAME}`, `${NAME:-default}`, `${service.port}`, `${self.port}`, `${pod.data_dir}`, and `$${`
// for a literal
// `${`.
//
// A dot inside makes it a field of the plan. A default may hold references itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/load.hpp"
#include "values.hpp"

namespace arizuko::plan {

/// One part of a string: literal text, a field of the plan, or a value of the environment.
struct Piece {
  enum class Kind { literal, field, variable };
  Kind kind = Kind::literal;
  std::string text;   // the literal; `gated` of ${gated.port}; the variable's name
  std::string field;  // `port` of ${gated.port}
  bool has_fallback = false;
  std::vector<Piece> fallback;
};
using Pieces = std::vector<Piece>;

Parsed<Pieces> parse_references(std::string_view text);

/// True when a field of the plan is needed to know the text.
bool needs_plan(const Pieces& pieces);

/// May a string refer to the environment? A command line can be read by every process.
enum class Variables { refused, allowed };

/// What references can see. `instance`, `data_dir`, `path` and `agents_settings` are unset until they are
/// resolved; `data_root` is the directory that holds `data_dir`.
struct Scope {
  std::optional<std::string> instance;
  std::optional<std::string> data_dir;
  std::optional<std::string> path;                          // PATH of the children
  std::optional<std::string> agents_settings;               // [agents] as JSON; "" when the plan has none
  std::map<std::string, std::uint16_t, std::less<>> ports;  // of every service and task; 0: none
  std::optional<std::string> self;                          // the service that a text ends up in
  const Lookup* environment = nullptr;
};

/// All references replaced now.
Parsed<std::string> expand(const Pieces& pieces, const Scope& scope, Variables variables);

/// Fields of the plan replaced now, values of the environment left as holes.
Parsed<Template> expand_fields(const Pieces& pieces, const Scope& scope);

}  // namespace arizuko::plan
