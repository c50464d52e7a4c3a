// Where the program of a command lies.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "arizuko/host/process/spawn_error.hpp"

namespace arizuko::host {

/// Looks `program` up in the colon-separated `path`, as execvp(3) would; a name with '/' is itself.
std::expected<std::string, SpawnError> find_executable(std::string_view program, std::string_view path);

}  // namespace arizuko::host
