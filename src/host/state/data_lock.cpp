#include "arizuko/host/state/data_lock.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "arizuko/base/times.hpp"
#include "arizuko/posix/files.hpp"
#include "host/process/proc_fs.hpp"

namespace arizuko::host {
namespace {

constexpr const char* lock_name = "lock";

std::string this_host() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "unknown";
  return name;
}

std::string holder_text() {
  const std::string when =
      base::date_and_time(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  return fmt::format("pid {}\nhost {}\nstart {}Z\n", ::getpid(), this_host(), when);
}

/// "pid 17 on host arizuko-demo-0 since 2026-11-22T20:39:00Z", of whatever the lock file holds; without a
/// file, who is `seen` to hold the lock.
std::string describe_holder(const StateDir& state, const std::string& seen) {
  const std::string somebody = seen.empty() ? "another arizuko-init" : seen;
  const auto text = posix::read_file(state.descriptor(), lock_name, 1024, posix::Links::refused);
  if (!text) return somebody;
  const auto field = [&](std::string_view name) -> std::string {
    const std::size_t at = text->starts_with(name) ? 0 : text->find(fmt::format("\n{}", name));
    if (at == text->npos) return {};
    const std::size_t from = text->find(' ', at) + 1;
    std::string value = text->substr(from, text->find('\n', from) - from);
    std::erase_if(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    return value;
  };
  const std::string pid = field("pid ");
  const std::string host = field("host ");
  const std::string start = field("start ");
  if (pid.empty() || host.empty() || start.empty()) return somebody;
  return fmt::format("arizuko-init with pid {} on host {} since {}", pid, host, start);
}

bool is_named(const posix::Descriptor& file, const StateDir& state) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(file.get(), &opened) == 0 &&
         ::fstatat(state.descriptor(), lock_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// Takes the lock if nobody has it; else an errno, EWOULDBLOCK when somebody has.
int try_lock(int file) {
  int result = 0;
  do {
    result = ::flock(file, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

/// Who has a file locked, by /proc/locks (proc(5)): "arizuko-init (pid 17)". Empty: it is not to be seen
/// there, as of another process namespace or another host.
std::string flock_holder(int file) {
  struct stat info{};
  const auto table = read_whole("/proc/locks", 256 * 1024);
  if (!table || ::fstat(file, &info) != 0) return "";
  const std::string wanted =
      fmt::format(" {:02x}:{:02x}:{} ", major(info.st_dev), minor(info.st_dev), info.st_ino);
  std::istringstream lines(*table);
  for (std::string line; std::getline(lines, line);) {
    // 1: FLOCK  ADVISORY  WRITE 17 fd:00:131 0 EOF
    std::istringstream words(line);
    std::string number, kind, strictness, mode;
    pid_t pid = 0;
    words >> number >> kind >> strictness >> mode >> pid;
    if (kind != "FLOCK" || pid <= 0 || !line.contains(wanted)) continue;
    auto stat = read_stat(pid);
    if (!stat) continue;
    std::erase_if(stat->name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    return fmt::format("{} (pid {})", stat->name, pid);
  }
  return "";
}

LockRefusal impossible(std::string text) { return {LockRefusal::Why::impossible, std::move(text)}; }

LockRefusal held(const std::string& data_dir, const std::string& holder) {
  return {LockRefusal::Why::held,
          fmt::format("the data directory {} is in use by {}: only one may run on it; stop that one first "
                      "(in Kubernetes: one replica, strategy Recreate)",
                      data_dir, holder)};
}

/// Takes the lock of the file; nullopt: it was taken away meanwhile, try again.
std::expected<std::optional<posix::Descriptor>, LockRefusal> lock_file(const StateDir& state,
                                                                       const std::string& data_dir) {
  const std::string path = state.path(lock_name);
  auto file = posix::open_to_write(state.descriptor(), lock_name, posix::Missing::is_made);
  if (!file &&
      (file.error().error == EINVAL || file.error().error == ELOOP || file.error().error == EMLINK)) {
    return std::unexpected(impossible(fmt::format(
        "cannot lock {}: it {}; look who put it there, and move it away", path, file.error().what)));
  }
  if (!file) {
    const int error = file.error().error;
    return std::unexpected(impossible(not_writable(error == EACCES ? state.path() : path, error)));
  }
  const int error = try_lock(file->get());
  if (error == EWOULDBLOCK)
    return std::unexpected(held(data_dir, describe_holder(state, flock_holder(file->get()))));
  if (error != 0)
    return std::unexpected(impossible(fmt::format("cannot lock {}: {}", path, std::strerror(error))));
  if (!is_named(*file, state)) return std::nullopt;
  if (const auto written = posix::overwrite(*file, holder_text()); !written)
    return std::unexpected(impossible(not_writable(path, written.error().error)));
  return std::optional(std::move(*file));
}

}  // namespace

std::expected<DataLock, LockRefusal> DataLock::acquire(const std::string& data_dir) {
  auto state = StateDir::make(data_dir);
  if (!state) return std::unexpected(impossible(std::move(state.error())));
  // The directory too: a daemon can take the file away. A file system that cannot lock it leaves the file.
  if (try_lock(state->data()) == EWOULDBLOCK)
    return std::unexpected(held(data_dir, describe_holder(*state, flock_holder(state->data()))));
  constexpr int tries = 10;  // the file may be taken away between open and flock
  for (int i = 0; i < tries; ++i) {
    auto file = lock_file(*state, data_dir);
    if (!file) return std::unexpected(std::move(file.error()));
    if (*file) return DataLock(std::move(*state), std::move(**file));
  }
  return std::unexpected(impossible(
      fmt::format("cannot lock {}: the file is replaced again and again", state->path(lock_name))));
}

}  // namespace arizuko::host
