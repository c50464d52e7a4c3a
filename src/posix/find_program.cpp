#include "arizuko/posix/find_program.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace arizuko::posix {

std::expected<std::string, int> find_program(std::string_view name, std::string_view path,
                                             Directories directories,
                                             const std::function<bool(const std::string&)>& wanted) {
  int error = ENOENT;
  if (name.empty()) return std::unexpected(error);
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find(':', from), path.size());
    const std::string_view folder = path.substr(from, to - from);
    from = to + 1;
    if (directories == Directories::absolute && !folder.starts_with('/')) continue;
    std::string candidate = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    struct stat info{};
    if (::stat(candidate.c_str(), &info) != 0) {
      if (errno == EACCES) error = EACCES;
    } else if (S_ISREG(info.st_mode)) {
      if (::access(candidate.c_str(), X_OK) != 0) {
        error = EACCES;  // as execvp(3): looked for further, and said when nothing better is found
      } else if (!wanted || wanted(candidate)) {
        return candidate;
      }
    }
  }
  return std::unexpected(error);
}

}  // namespace arizuko::posix
