// From the texts of its files to a resolved, checked Plan.
//
// Loading happens in two steps, because the plan says where values come from and some of its own
// values come from there: first the sources that do not depend on `${pod....}` are read (by the
// caller: this layer only says which), then the plan is resolved with their values.
//
// No file is opened here: host/plan_files.hpp reads them. No value of the environment appears in a
// problem's text.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

inline constexpr std::size_t most_files = 64;
inline constexpr std::size_t most_file_bytes = 1024 * 1024;

struct File {
  std::string path;  // for messages
  std::string text;
};

/// `--set service.teled.port=9011`. The value is TOML if it parses as a TOML value, else a string.
struct Override {
  std::string key;
  std::string value;
};

/// The value of an environment variable, or nullopt when it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

/// The entries of [env].sources that can be read before the pod's fields are known.
std::expected<std::vector<Source>, Problems> early_sources(const std::vector<File>& files,
                                                           const std::vector<Override>& overrides,
                                                           const Lookup& environment);

/// The whole way: parse, merge, override, resolve, check. Warnings are in Plan::warnings; when there
/// is at least one error all problems, warnings too, are returned in place of a plan, in file order.
std::expected<Plan, Problems> load(const std::vector<File>& files, const std::vector<Override>& overrides,
                                   const Lookup& environment);

}  // namespace arizuko::plan
