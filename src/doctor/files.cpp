#include "files.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::doctor {

std::optional<struct stat> look_at(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info;
}

std::string owner_text(const struct stat& info) {
  return fmt::format("owner {}:{}, mode {:04o}", info.st_uid, info.st_gid, info.st_mode & 07777U);
}

bool may(const User& user, const struct stat& info, Right right) {
  if (user.uid == 0) return true;
  const bool in_group =
      user.gid == info.st_gid || std::ranges::find(user.groups, info.st_gid) != user.groups.end();
  const unsigned shift = user.uid == info.st_uid ? 6 : in_group ? 3 : 0;
  return ((info.st_mode >> shift) & static_cast<unsigned>(right)) != 0;
}

std::optional<std::string> read_bounded(const std::string& path, std::size_t limit) {
  auto text = posix::read_file(path, limit);
  if (text) return std::move(*text);
  errno = text.error().error;
  return std::nullopt;
}

std::string nearest_directory(std::string path) {
  while (path.size() > 1) {
    const auto info = look_at(path);
    if (info && S_ISDIR(info->st_mode)) return path;
    const std::size_t slash = path.rfind('/');
    path = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
  }
  return "/";
}

}  // namespace arizuko::doctor
