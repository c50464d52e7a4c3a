#include "source_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace arizuko::host {
namespace {

std::string owner_and_mode(const struct stat& status) {
  return fmt::format("it belongs to uid {} gid {} with mode {:04o}, and this is uid {} gid {}", status.st_uid,
                     status.st_gid, status.st_mode & 07777, ::geteuid(), ::getegid());
}

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

SourceTrouble cannot_open(int directory, const char* path, const posix::FileTrouble& why,
                          std::string_view remedy) {
  SourceTrouble trouble;
  trouble.motion = why.error == ENOENT || why.error == EACCES ? Motion::moving : Motion::settled;
  trouble.absent = why.error == ENOENT;
  if (why.error == EINVAL || why.error == EISDIR) {
    trouble.what = why.what;
    return trouble;
  }
  trouble.what = fmt::format("cannot be read: {}", why.what);
  struct stat status{};
  if (why.error == EACCES && ::fstatat(directory, path, &status, 0) == 0) {
    trouble.what += fmt::format(": {}; {}", owner_and_mode(status), remedy);
  } else if (why.error == EACCES) {
    trouble.what += fmt::format(": a directory above it is closed to uid {}", ::geteuid());
  } else if (why.error == ENOENT && ::fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    trouble.absent = false;
    trouble.what += ": a link to nothing";
  }
  return trouble;
}

std::expected<SourceFile, SourceTrouble> read_whole(const posix::Descriptor& file, std::size_t max_bytes,
                                                    std::string_view too_large) {
  struct stat before{};
  if (::fstat(file.get(), &before) != 0) return std::unexpected(SourceTrouble{.what = std::strerror(errno)});
  auto text = posix::read_all(file, max_bytes);
  if (!text && text.error().error == EFBIG)
    return std::unexpected(SourceTrouble{.what = std::string(too_large)});
  if (!text)
    return std::unexpected(SourceTrouble{.what = fmt::format("cannot be read: {}", text.error().what)});
  struct stat after{};
  if (::fstat(file.get(), &after) != 0 || !same_content(before, after)) {
    return std::unexpected(SourceTrouble{.motion = Motion::moving, .what = "changed while it was read"});
  }
  return SourceFile{std::move(*text), before.st_mode};
}

}  // namespace arizuko::host
