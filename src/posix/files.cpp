#include "arizuko/posix/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace arizuko::posix {
namespace {

// O_NOCTTY and O_NONBLOCK matter only for what is refused afterwards: it must neither hold us nor become our
// terminal meanwhile.
constexpr int always = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

std::unexpected<FileTrouble> failed(int error) {
  if (error == EWOULDBLOCK) return std::unexpected(FileTrouble{error, "another process holds a lease on it"});
  const char* phrase = ::strerrordesc_np(error);
  return std::unexpected(FileTrouble{error, phrase != nullptr ? phrase : "unknown error"});
}

std::unexpected<FileTrouble> not_regular(mode_t mode) {
  const int error = S_ISDIR(mode) ? EISDIR : S_ISLNK(mode) ? ELOOP : EINVAL;
  return std::unexpected(FileTrouble{error, fmt::format("is {}, not a regular file", kind_text(mode))});
}

std::unexpected<FileTrouble> too_large(std::size_t limit) {
  constexpr std::size_t kibi = 1024;
  constexpr std::size_t mebi = kibi * kibi;
  const std::string size = limit % mebi == 0   ? fmt::format("{} MiB", limit / mebi)
                           : limit % kibi == 0 ? fmt::format("{} KiB", limit / kibi)
                                               : fmt::format("{} bytes", limit);
  return std::unexpected(FileTrouble{EFBIG, fmt::format("is larger than {}", size)});
}

/// A link that somebody else made in a directory of his leads where he wants, with our rights.
bool may_follow(const struct stat& link, Links links) {
  switch (links) {
    case Links::followed: return true;
    case Links::trusted: return ::geteuid() != 0 || link.st_uid == 0;
    case Links::refused: return false;
  }
  return false;
}

/// Where the link at `path` leads, as it was when it was decided about; nothing when it is no link.
std::expected<std::optional<std::string>, FileTrouble> target_of(int directory, const std::string& path,
                                                                 Links links) {
  const Descriptor link(::openat(directory, path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!link.is_open() || ::fstat(link.get(), &info) != 0) return failed(errno);
  if (!S_ISLNK(info.st_mode)) return std::nullopt;
  if (!may_follow(info, links)) {
    return std::unexpected(FileTrouble{
        ELOOP, links == Links::refused
                   ? "is a link, which is not followed here"
                   : fmt::format("is a link of uid {}, which root does not follow", info.st_uid)});
  }
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
  if (size < 0) return failed(errno);
  target.resize(static_cast<std::size_t>(size));
  const std::size_t slash = path.rfind('/');
  return target.starts_with('/') || slash == path.npos ? target : path.substr(0, slash + 1) + target;
}

/// `path`, or where the links that begin there end: what is to be opened without following any.
std::expected<std::string, FileTrouble> end_of_links(int directory, std::string path, Links links) {
  constexpr int most_links = 16;
  for (int i = 0; i < most_links; ++i) {
    auto target = target_of(directory, path, links);
    if (!target) return std::unexpected(std::move(target.error()));
    if (!*target) return path;
    path = std::move(**target);
  }
  return failed(ELOOP);
}

/// The kind is looked at twice: before, so that no device or FIFO notices us, and after, for it may have
/// changed.
std::expected<Descriptor, FileTrouble> open_regular(int directory, const std::string& path, int flags) {
  struct stat info{};
  const int follow = (flags & O_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
  if (::fstatat(directory, path.c_str(), &info, follow) == 0) {
    if (!S_ISREG(info.st_mode)) return not_regular(info.st_mode);
  } else if (errno != ENOENT || (flags & O_CREAT) == 0) {
    return failed(errno);
  }
  Descriptor file(::openat(directory, path.c_str(), flags | always, 0600));
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) return failed(errno);
  if (!S_ISREG(info.st_mode)) return not_regular(info.st_mode);
  return file;
}

/// Reads until the end, or until there are `most` bytes. `expected` is a guess.
std::expected<std::string, FileTrouble> read_up_to(int file, std::size_t expected, std::size_t most) {
  constexpr std::size_t step = 512;  // more than expected: the end is seen without another round
  std::string text;
  std::size_t used = 0;
  while (used < most) {
    if (used == text.size()) text.resize(std::min(std::max(expected, used) + used + step, most));
    const ssize_t got = ::read(file, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  text.resize(used);
  return text;
}

std::expected<void, FileTrouble> write_all(int file, std::string_view text) {
  off_t at = 0;
  while (!text.empty()) {
    const ssize_t done = ::pwrite(file, text.data(), text.size(), at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return failed(done == 0 ? EIO : errno);
    at += done;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

std::string_view kind_text(mode_t mode) {
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a link";
  return S_ISBLK(mode) || S_ISCHR(mode) ? "a device" : "nothing known";
}

std::expected<Descriptor, FileTrouble> open_to_read(int directory, const std::string& path, Links links) {
  if (links == Links::followed) return open_regular(directory, path, O_RDONLY);
  const auto end = end_of_links(directory, path, links);
  if (!end) return std::unexpected(end.error());
  return open_regular(directory, *end, O_RDONLY | O_NOFOLLOW);
}

std::expected<std::string, FileTrouble> read_all(const Descriptor& file, std::size_t limit) {
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return failed(errno);
  const auto expected = static_cast<std::size_t>(std::max<off_t>(info.st_size, 0));
  auto text = read_up_to(file.get(), std::min(expected, limit), limit + 1);
  if (text && text->size() > limit) return too_large(limit);
  return text;
}

std::expected<std::string, FileTrouble> read_file(int directory, const std::string& path, std::size_t limit,
                                                  Links links) {
  const auto file = open_to_read(directory, path, links);
  if (!file) return std::unexpected(file.error());
  return read_all(*file, limit);
}

std::expected<std::string, FileTrouble> read_file(const std::string& path, std::size_t limit, Links links) {
  return read_file(AT_FDCWD, path, limit, links);
}

std::expected<std::string, FileTrouble> read_kernel_file(int directory, const std::string& path,
                                                         std::size_t limit) {
  const Descriptor file(::openat(directory, path.c_str(), O_RDONLY | always));
  if (!file.is_open()) return failed(errno);
  return read_up_to(file.get(), 3584, limit);  // a page, with the step
}

std::expected<Descriptor, FileTrouble> open_to_write(int directory, const std::string& path,
                                                     Missing missing) {
  const int make = missing == Missing::is_made ? O_CREAT : 0;
  auto file = open_regular(directory, path, O_RDWR | O_NOFOLLOW | make);
  if (!file) return file;
  struct stat info{};
  if (::fstat(file->get(), &info) != 0) return failed(errno);
  if (info.st_nlink > 1) {
    return std::unexpected(
        FileTrouble{EMLINK, "has a second name (a hard link), which would be written too"});
  }
  return file;
}

std::expected<void, FileTrouble> overwrite(const Descriptor& file, std::string_view text) {
  if (auto written = write_all(file.get(), text); !written) return written;
  if (::ftruncate(file.get(), static_cast<off_t>(text.size())) != 0) return failed(errno);
  return {};
}

std::expected<void, FileTrouble> replace_file(int directory, const std::string& name, std::string_view text) {
  const std::string draft = name + ".new";
  const auto undo = [&](FileTrouble trouble) {
    ::unlinkat(directory, draft.c_str(), 0);
    return std::unexpected(std::move(trouble));
  };
  ::unlinkat(directory, draft.c_str(), 0);  // of a run that was killed meanwhile
  const Descriptor file(
      ::openat(directory, draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | always, 0600));
  if (!file.is_open()) return failed(errno);
  if (const auto written = write_all(file.get(), text); !written) return undo(written.error());
  if (::fsync(file.get()) != 0) return undo(failed(errno).error());
  if (::renameat(directory, draft.c_str(), directory, name.c_str()) != 0) return undo(failed(errno).error());
  if (directory >= 0) ::fsync(directory);  // the name, too; what the file system cannot do is no failure
  return {};
}

std::expected<Descriptor, FileTrouble> open_directory(int parent, const std::string& path, Links links) {
  std::string end = path;
  if (links != Links::followed) {
    auto found = end_of_links(parent, path, links);
    if (!found) return std::unexpected(std::move(found.error()));
    end = std::move(*found);
  }
  const int follow = links == Links::followed ? 0 : O_NOFOLLOW;
  Descriptor directory(::openat(parent, end.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow));
  if (directory.is_open()) return directory;
  struct stat info{};
  const int error = errno;
  if (error == ENOTDIR && ::fstatat(parent, end.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISDIR(info.st_mode)) {
    return std::unexpected(
        FileTrouble{error, fmt::format("is {}, not a directory", kind_text(info.st_mode))});
  }
  return failed(error);
}

}  // namespace arizuko::posix
