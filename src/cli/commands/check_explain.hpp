// `check --explain`: where each key of one service comes from, and which source gives each of its values.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/prepare.hpp"

namespace arizuko::cli {

/// Returns the exit code: 0, or 64 when there is no such service.
int explain_service(const std::string& name, const Prepared& prepared, Output output, const Console& console);

/// The paths of the plan's files, fit for a terminal; and "plan: a.toml, a.toml.d/b.toml" with its line end.
std::vector<std::string> paths_of(const std::vector<plan::File>& files);
std::string files_line(const std::vector<plan::File>& files);

}  // namespace arizuko::cli
