#include "arizuko/posix/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

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

/// Follows a path as open(2) does, but for links: of those only what root made. Somebody else's leads where
/// he wants, and would be followed with root's rights.
class Walk {
 public:
  enum class LastLink { followed, kept };

  Walk(int directory, std::string_view path, LastLink last)
      : last_(last),
        at_(::openat(directory, path.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    push(path);
  }

  std::expected<Place, FileTrouble> run() {
    while (at_.is_open()) {
      if (left_.empty()) return Place{std::move(at_), "."};
      std::string name = std::move(left_.back());
      left_.pop_back();
      Descriptor next(::openat(at_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      struct stat info{};
      const bool last = left_.empty();
      if (!next.is_open() && errno == ENOENT && last) return Place{std::move(at_), std::move(name)};
      if (!next.is_open() || ::fstat(next.get(), &info) != 0) break;
      if (S_ISLNK(info.st_mode) && !(last && last_ == LastLink::kept)) {
        if (auto followed = follow(next, info.st_uid); !followed) return std::unexpected(followed.error());
      } else if (last) {
        return Place{std::move(at_), std::move(name)};
      } else {
        at_ = std::move(next);  // what is no directory is found to be none by the next step
      }
    }
    return failed(errno);
  }

 private:
  /// The parts in front of what is left.
  void push(std::string_view path) {
    const std::size_t had = left_.size();
    while (!path.empty()) {
      const std::size_t end = std::min(path.find('/'), path.size());
      if (end > 0) left_.emplace_back(path.substr(0, end));
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    std::reverse(left_.begin() + static_cast<std::ptrdiff_t>(had), left_.end());
  }

  std::expected<void, FileTrouble> follow(const Descriptor& link, uid_t owner) {
    constexpr int most_links = 40;
    if (++links_ > most_links) return failed(ELOOP);
    if (owner != 0) {
      return std::unexpected(FileTrouble{
          ELOOP, fmt::format("a link of uid {} is on the way, which root does not follow", owner)});
    }
    std::string target(4096, '\0');
    const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
    if (size < 0) return failed(errno);
    target.resize(static_cast<std::size_t>(size));
    if (target.starts_with('/')) at_ = Descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    push(target);
    return {};
  }

  LastLink last_;
  Descriptor at_;
  std::vector<std::string> left_;  // the next part last
  int links_ = 0;
};

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

/// Reads until the end, or until there are `most` bytes. `expected` is a guess. Returns an errno; `text`
/// holds what came before it.
int read_up_to(int file, std::size_t expected, std::size_t most, std::string& text) {
  constexpr std::size_t step = 512;  // more than expected: the end is seen without another round
  std::size_t used = 0;
  int error = 0;
  while (used < most) {
    if (used == text.size()) text.resize(std::min(std::max(expected, used) + used + step, most));
    const ssize_t got = ::read(file, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
  }
  text.resize(used);
  return error;
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

std::expected<Place, FileTrouble> find_place(const std::string& path) {
  if (::geteuid() == 0) return Walk(AT_FDCWD, path, Walk::LastLink::kept).run();
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == path.npos ? "." : path.substr(0, slash + 1);
  Descriptor directory(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return failed(errno);
  return Place{std::move(directory), path.substr(slash + 1)};
}

std::expected<Descriptor, FileTrouble> open_to_read(int directory, const std::string& path, Links links) {
  switch (links) {
    case Links::refused: return open_regular(directory, path, O_RDONLY | O_NOFOLLOW);
    case Links::trusted: {
      if (::geteuid() != 0) break;
      const auto place = Walk(directory, path, Walk::LastLink::followed).run();
      if (!place) return std::unexpected(place.error());
      return open_regular(place->directory.get(), place->name, O_RDONLY | O_NOFOLLOW);
    }
    case Links::followed: break;
  }
  return open_regular(directory, path, O_RDONLY);
}

std::expected<std::string, FileTrouble> read_all(const Descriptor& file, std::size_t limit) {
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return failed(errno);
  const auto expected = static_cast<std::size_t>(std::max<off_t>(info.st_size, 0));
  std::string text;
  if (const int error = read_up_to(file.get(), std::min(expected, limit), limit + 1, text); error != 0)
    return failed(error);
  if (text.size() > limit) return too_large(limit);
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
  std::string text;
  static_cast<void>(read_up_to(file.get(), 3584, limit, text));  // a page, with the step
  return text;
}

std::expected<Descriptor, FileTrouble> open_to_write(int directory, const std::string& path,
                                                     Missing missing) {
  const int make = missing == Missing::is_made ? O_CREAT : 0;
  constexpr int flags = O_RDWR | O_NOFOLLOW;
  std::expected<Descriptor, FileTrouble> file = failed(EINVAL);
  if (::geteuid() == 0) {
    const auto place = Walk(directory, path, Walk::LastLink::kept).run();
    if (!place) return std::unexpected(place.error());
    file = open_regular(place->directory.get(), place->name, flags | make);
  } else {
    file = open_regular(directory, path, flags | make);
  }
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
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  struct stat info{};
  if (links == Links::trusted && ::geteuid() == 0) {
    auto place = Walk(parent, path, Walk::LastLink::followed).run();
    if (!place) return std::unexpected(std::move(place.error()));
    return open_directory(place->directory.get(), place->name, Links::refused);
  }
  const int follow = links == Links::refused ? O_NOFOLLOW : 0;
  Descriptor directory(::openat(parent, path.c_str(), flags | follow));
  if (directory.is_open()) return directory;
  const int error = errno;
  const int look = links == Links::refused ? AT_SYMLINK_NOFOLLOW : 0;
  if ((error == ENOTDIR || error == ELOOP) && ::fstatat(parent, path.c_str(), &info, look) == 0 &&
      !S_ISDIR(info.st_mode)) {
    return std::unexpected(
        FileTrouble{error, fmt::format("is {}, not a directory", kind_text(info.st_mode))});
  }
  return failed(error);
}

}  // namespace arizuko::posix
