// The one search in a PATH.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace arizuko::posix {

enum class Directories {
  all,       // as execvp(3): an empty one is the working directory
  absolute,  // for who does not know where it stands
};

/// The first regular file `name` in the directories of the colon-separated `path` that this process may
/// execute and that `wanted` takes. Else errno: EACCES when one was found that may not be executed (or a
/// directory that may not be searched), ENOENT. `name` has no '/'.
std::expected<std::string, int> find_program(
    std::string_view name, std::string_view path, Directories directories,
    const std::function<bool(const std::string& candidate)>& wanted = nullptr);

}  // namespace arizuko::posix
