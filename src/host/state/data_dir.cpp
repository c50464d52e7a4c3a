#include "arizuko/host/state/data_dir.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/host/state/made_dirs.hpp"

namespace arizuko::host {

namespace {

bool is_directory(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

std::string parent_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

std::string to_text(const DataDirError& error) {
  using enum DataDirError::Step;
  const char* why = std::strerror(error.error);
  switch (error.step) {
    case make:
      return fmt::format(
          "cannot create the data directory {}: {}; create it for uid {}, or name another: --set "
          "pod.data_dir=DIR",
          error.path, why, error.uid);
    case find_parent:
      return fmt::format("cannot create the data directory {}: {}; {} is not there: is the volume mounted?",
                         error.path, why, parent_of(error.path));
    case give_away:
      return fmt::format("cannot give the data directory {} to uid {}: {}; make it before the start",
                         error.path, error.uid, why);
  }
  return {};
}

std::expected<void, DataDirError> make_data_dir(const std::string& path, Parents parents,
                                                const std::optional<posix::Account>& owner) {
  using enum DataDirError::Step;
  if (is_directory(path)) return {};
  const std::string parent = parent_of(path);
  if (parents == Parents::are_made && path != "/") {
    if (auto made = make_data_dir(parent, parents, std::nullopt); !made) return made;
  }
  if (::mkdir(path.c_str(), 0755) == 0) {
    if (!owner || give_directory(path, *owner)) return {};
    return std::unexpected(DataDirError{give_away, path, errno, owner->uid});
  }
  if (errno == EEXIST) return {};
  const int why = errno;
  return std::unexpected(DataDirError{is_directory(parent) ? make : find_parent, path, why, ::geteuid()});
}

}  // namespace arizuko::host
