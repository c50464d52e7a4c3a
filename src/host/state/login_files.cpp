#include "login_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace arizuko::host {

namespace {

using Done = std::expected<void, std::string>;

class Directory {
 public:
  explicit Directory(int fd) : fd_(fd) {}
  ~Directory() {
    if (fd_ >= 0) ::close(fd_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  int get() const { return fd_; }
  void move_to(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

std::unexpected<std::string> trouble(std::string_view what) {
  return std::unexpected(std::string(what) + ": " + std::strerror(errno));
}

/// What lies there: nothing, a file that may be moved, or something else.
enum class There { nothing, file, other };
There look(int directory, const std::string& name) {
  struct stat found{};
  if (::fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? There::nothing : There::other;
  return S_ISREG(found.st_mode) ? There::file : There::other;
}

Done remove(int directory, const std::string& name) {
  if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return trouble("removing it");
}

Done rename_to(int directory, const std::string& from, const std::string& to) {
  if (look(directory, from) == There::other) return std::unexpected(from + " is not a regular file");
  if (::renameat(directory, from.c_str(), directory, to.c_str()) == 0 || errno == ENOENT) return {};
  return trouble("renaming it");
}

Done carry_out(int directory, const std::string& name, engine::LoginFiles::Do what) {
  const std::string aside = name + aside_suffix;
  switch (what) {
    case engine::LoginFiles::Do::set_aside:
      // One file may hold the login of two keys: what is aside is the older one.
      if (look(directory, aside) != There::nothing) return remove(directory, name);
      return rename_to(directory, name, aside);
    case engine::LoginFiles::Do::drop: return remove(directory, name);
    case engine::LoginFiles::Do::put_back: return rename_to(directory, aside, name);
    case engine::LoginFiles::Do::forget: return remove(directory, aside);
  }
  return {};
}

}  // namespace

Done move_login(const std::string& data_dir, const std::string& file, engine::LoginFiles::Do what) {
  std::string_view rest = std::string_view(file).substr(data_dir.size());
  Directory at(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0) return trouble("opening the data directory");
  for (;;) {
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) break;
    const std::string part(rest.substr(0, slash));
    const int next = ::openat(at.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT) return {};  // no directory, no login
    if (next < 0) return trouble("opening " + part);
    at.move_to(next);
    rest.remove_prefix(slash);
  }
  return carry_out(at.get(), std::string(rest), what);
}

}  // namespace arizuko::host
