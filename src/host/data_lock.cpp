#include "arizuko/host/data_lock.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proc_fs.hpp"

namespace arizuko::host {
namespace {

std::string reason(int error) { return ::strerror(error); }

/// "uid 1000 cannot write /srv/data/x (owner 0:0, mode 0755): ..."
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
  return fmt::format("uid {} cannot write {}{}: {}{}{}", ::geteuid(), path, who, reason(error),
                     cure.empty() ? "" : "; ", cure);
}

std::string this_host() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "unknown";
  return name;
}

std::string holder_text() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char when[32];
  std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return fmt::format("pid {}\nhost {}\nstart {}\n", ::getpid(), this_host(), when);
}

/// "pid 17 on host arizuko-demo-0 since 2026-11-22T20:39:00Z", of whatever the file holds; without a file,
/// who is `seen` to hold the lock.
std::string describe_holder(const std::string& path, const std::string& seen) {
  const std::string somebody = seen.empty() ? "another arizuko-init" : seen;
  const auto text = read_whole(path.c_str(), 1024);
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

bool is_file_at(int descriptor, const std::string& path) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
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

}  // namespace

std::expected<DataLock, LockRefusal> DataLock::acquire(const std::string& data_dir) {
  std::error_code failed;
  std::filesystem::create_directories(data_dir, failed);
  if (failed) {
    return std::unexpected(impossible(fmt::format("cannot create the data directory {} as uid {}: {}",
                                                  data_dir, ::geteuid(), failed.message())));
  }
  const std::string state_dir = state_dir_of(data_dir);
  if (::mkdir(state_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(impossible(not_writable(data_dir, errno)));
  }
  if (::access(data_dir.c_str(), W_OK | X_OK) != 0)
    return std::unexpected(impossible(not_writable(data_dir, errno)));

  const std::string path = state_dir + "/lock";
  int directory = ::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (const int error = directory < 0 ? 0 : try_lock(directory); error != 0) {
    const std::string seen = error == EWOULDBLOCK ? flock_holder(directory) : "";
    ::close(std::exchange(directory, -1));
    if (error == EWOULDBLOCK) return std::unexpected(held(data_dir, describe_holder(path, seen)));
  }
  DataLock lock(directory, -1, state_dir);
  constexpr int tries = 10;  // the file may be taken away between open and flock
  for (int i = 0; i < tries; ++i) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return std::unexpected(impossible(not_writable(errno == EACCES ? state_dir : path, errno)));
    if (lock.descriptor_ >= 0) ::close(lock.descriptor_);
    lock.descriptor_ = file;
    const int error = try_lock(file);
    if (error == EWOULDBLOCK)
      return std::unexpected(held(data_dir, describe_holder(path, flock_holder(file))));
    if (error != 0)
      return std::unexpected(impossible(fmt::format("cannot lock {}: {}", path, reason(error))));
    if (!is_file_at(file, path)) continue;

    const std::string text = holder_text();
    if (::ftruncate(file, 0) != 0 || ::pwrite(file, text.data(), text.size(), 0) != std::ssize(text)) {
      return std::unexpected(impossible(not_writable(path, errno)));
    }
    return lock;
  }
  return std::unexpected(
      impossible(fmt::format("cannot lock {}: the file is replaced again and again", path)));
}

DataLock::DataLock(int directory, int descriptor, std::string state_dir)
    : directory_(directory), descriptor_(descriptor), state_dir_(std::move(state_dir)) {}

DataLock::DataLock(DataLock&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      state_dir_(std::move(other.state_dir_)) {}

DataLock& DataLock::operator=(DataLock&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(state_dir_, other.state_dir_);
  return *this;
}

DataLock::~DataLock() {
  for (const int file : {descriptor_, directory_}) {
    if (file >= 0) ::close(file);
  }
}

}  // namespace arizuko::host
