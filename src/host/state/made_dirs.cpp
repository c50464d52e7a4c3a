#include "arizuko/host/state/made_dirs.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::host {
namespace {

constexpr mode_t made_mode = 0755;

bool is_root() { return ::geteuid() == 0; }

/// File rights of somebody else, of this thread only: setfsuid(2). The capabilities that pass by permissions
/// go with them.
class RightsOf {
 public:
  RightsOf(uid_t uid, gid_t gid) {
    ::setfsgid(gid);
    ::setfsuid(uid);
  }
  ~RightsOf() {
    const int error = errno;
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
    errno = error;
  }
  RightsOf(const RightsOf&) = delete;
  RightsOf& operator=(const RightsOf&) = delete;
};

/// Nobody but root can put anything there.
bool is_only_roots(const struct stat& directory) {
  const bool others_write = (directory.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  return directory.st_uid == 0 && (!others_write || (directory.st_mode & S_ISVTX) != 0);
}

bool make(const posix::Descriptor& parent, const char* name, const std::optional<posix::Account>& owner) {
  struct stat info{};
  if (::fstat(parent.get(), &info) != 0) return false;
  if (!is_root()) return ::mkdirat(parent.get(), name, made_mode) == 0 || errno == EEXIST;
  if (is_only_roots(info)) {
    if (::mkdirat(parent.get(), name, made_mode) != 0) return errno == EEXIST;
    return !owner || ::fchownat(parent.get(), name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) == 0;
  }
  const RightsOf rights(owner ? owner->uid : info.st_uid, owner ? owner->gid : info.st_gid);
  return ::mkdirat(parent.get(), name, made_mode) == 0 || errno == EEXIST;
}

posix::Descriptor enter(const posix::Descriptor& parent, const std::string& name) {
  const int links = is_root() ? O_NOFOLLOW : 0;
  return posix::Descriptor(::openat(parent.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | links));
}

}  // namespace

bool make_directory_below(int root_directory, const std::string& root, const std::string& path,
                          const std::optional<posix::Account>& owner) {
  if (!path.starts_with(root + '/')) {
    errno = EPERM;
    return false;
  }
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode))
    return true;  // nothing to make, links or not
  posix::Descriptor at(::openat(root_directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = std::string_view(path).substr(root.size() + 1);
  while (at.is_open() && !rest.empty()) {
    const std::string name(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name.empty()) continue;
    posix::Descriptor next = enter(at, name);
    if (!next.is_open() && errno == ENOENT) {
      if (!make(at, name.c_str(), owner)) return false;
      next = enter(at, name);
    }
    at = std::move(next);
  }
  return at.is_open();
}

bool give_directory(const std::string& path, const posix::Account& owner) {
  const std::size_t slash = path.rfind('/');
  const posix::Descriptor parent(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info{};
  if (!parent.is_open() || ::fstat(parent.get(), &info) != 0) return false;
  if (!is_only_roots(info)) {
    errno = EPERM;
    return false;
  }
  const std::string name = path.substr(slash + 1);
  return ::fchownat(parent.get(), name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) == 0;
}

std::optional<posix::Account> owner_of_made_dirs(const plan::Plan& plan) {
  std::set<std::pair<std::uint32_t, std::optional<std::uint32_t>>> users;
  for (const plan::Service& each : plan.services) {
    if (each.enabled && each.uid) users.emplace(*each.uid, each.gid);
  }
  if (!is_root() || users.size() != 1) return std::nullopt;
  return posix::account_of(users.begin()->first, users.begin()->second);
}

}  // namespace arizuko::host
