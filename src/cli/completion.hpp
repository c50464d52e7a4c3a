// Scripts that complete what one types, for bash, zsh and fish. Pure: made of the table that --help is made
// of, so that no script lacks an option. Names of services come from `arizuko-init status`, while one types.
#pragma once

#include <string>
#include <string_view>

#include "command.hpp"

namespace arizuko::cli {

/// `shell` is bash, zsh or fish.
std::string completion_script(std::string_view shell, const Commands& commands);

}  // namespace arizuko::cli
