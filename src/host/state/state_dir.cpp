#include "arizuko/host/state/state_dir.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

constexpr const char* name_in_data_dir = ".arizuko-init";

mode_t wanted_mode() { return ::geteuid() == 0 ? 0711 : 0700; }

/// Who owns what this process makes in `directory`: not we, where the file system knows one owner only.
std::expected<uid_t, int> owner_of_our_files(int directory) {
  constexpr const char* trial = ".owner";
  ::unlinkat(directory, trial, 0);
  const posix::Descriptor file(
      ::openat(directory, trial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info{};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) return std::unexpected(errno);
  ::unlinkat(directory, trial, 0);
  return info.st_uid;
}

/// Only root has more rights than who could have put something there.
std::expected<void, std::string> check_owner(const posix::Descriptor& directory, const std::string& path) {
  struct stat info{};
  if (::fstat(directory.get(), &info) != 0)
    return std::unexpected(fmt::format("cannot look at {}: {}", path, std::strerror(errno)));
  if (::geteuid() != 0) return {};
  if (info.st_uid != 0 && owner_of_our_files(directory.get()) != info.st_uid) {
    return std::unexpected(fmt::format(
        "{0} belongs to uid {1}, and this is root: what runs as uid {1} could have put anything there. Run "
        "arizuko-init as uid {1}, or look what is in it and chown -R root:root {0}",
        path, info.st_uid));
  }
  // A kubelet gives the group of a volume (fsGroup) every right to all that is in it.
  if ((info.st_mode & 0777) != wanted_mode()) ::fchmod(directory.get(), wanted_mode());
  return {};
}

}  // namespace

std::string not_writable(const std::string& path, int error) {
  struct stat info{};
  std::string who;
  if (::stat(path.c_str(), &info) == 0) {
    who = fmt::format(" (owner {}:{}, mode {:04o})", info.st_uid, info.st_gid, info.st_mode & 07777U);
  }
  std::string cure;
  if (error == EROFS) {
    cure = "mount the volume writable";
  } else if (error == EACCES || error == EPERM) {
    cure = fmt::format("chown it to {}:{}, or set fsGroup in the pod's securityContext", ::geteuid(),
                       ::getegid());
  } else if (error == ENOSPC || error == EDQUOT) {
    cure = "free space on the volume";
  }
  return fmt::format("uid {} cannot write {}{}: {}{}{}", ::geteuid(), path, who, std::strerror(error),
                     cure.empty() ? "" : "; ", cure);
}

StateDir::StateDir(std::string path, Opened opened)
    : path_(std::move(path)), opened_(std::make_shared<const Opened>(std::move(opened))) {}

std::expected<StateDir, std::string> StateDir::make(const std::string& data_dir) {
  std::error_code failed;
  std::filesystem::create_directories(data_dir, failed);
  if (failed) {
    return std::unexpected(fmt::format("cannot create the data directory {} as uid {}: {}", data_dir,
                                       ::geteuid(), failed.message()));
  }
  auto data = posix::open_directory(AT_FDCWD, data_dir, posix::Links::followed);
  if (!data) return std::unexpected(not_writable(data_dir, data.error().error));
  if (::mkdirat(data->get(), name_in_data_dir, wanted_mode()) != 0 && errno != EEXIST)
    return std::unexpected(not_writable(data_dir, errno));
  if (::faccessat(data->get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    return std::unexpected(not_writable(data_dir, errno));

  std::string path = fmt::format("{}/{}", data_dir, name_in_data_dir);
  auto state = posix::open_directory(data->get(), name_in_data_dir, posix::Links::refused);
  if (!state && state.error().error == EACCES) return std::unexpected(not_writable(path, EACCES));
  if (!state) {
    return std::unexpected(fmt::format("cannot use {}: it {}; look who put it there, and move it away", path,
                                       state.error().what));
  }
  if (auto checked = check_owner(*state, path); !checked) return std::unexpected(std::move(checked.error()));
  return StateDir(std::move(path), Opened{std::move(*data), std::move(*state)});
}

StateDir StateDir::at(const std::string& path) {
  auto state = posix::open_directory(AT_FDCWD, path, posix::Links::refused);
  Opened opened;
  if (state)
    opened.state = std::move(*state);
  else
    opened.error = state.error().error;
  return StateDir(path, std::move(opened));
}

}  // namespace arizuko::host
