#include "ledger_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::agents {
namespace {

// Whoever holds the lock writes one small file; somebody who holds it for good must not hold the turns.
constexpr Milliseconds lock_patience{2'000};
constexpr Milliseconds between_tries{10};

bool is_directory(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

/// At most `most` bytes of a regular file that is no link; "" of anything else.
std::string read_bounded(const std::string& path, std::size_t most) {
  const posix::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat found{};
  if (!file.is_open() || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) return {};
  std::string text(most + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

bool write_whole(const std::string& path, std::string_view text) {
  const auto fresh = fmt::format("{}.{}", path, ::getpid());
  const posix::Descriptor file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!file.is_open()) return false;
  bool written = true;
  while (written && !text.empty()) {
    const auto put = ::write(file.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    written = put > 0;
    if (written) text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) return true;
  ::unlink(fresh.c_str());
  return false;
}

/// Held until its descriptor is closed; what lies at the path may be anything.
bool lock(const posix::Descriptor& file) {
  const auto deadline = std::chrono::steady_clock::now() + lock_patience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(between_tries);
  }
  return true;
}

std::string ledger_path(const std::string& directory) { return directory + "/agents.json"; }

}  // namespace

LedgerFile LedgerFile::of(const Environment& environment) {
  const auto data = environment("DATA_DIR").value_or("");
  if (!data.starts_with('/') || !is_directory(data)) return LedgerFile("");
  auto directory = data + "/.arizuko-init";
  if (!is_directory(directory)) ::mkdir(directory.c_str(), 0755);
  return LedgerFile(std::move(directory));
}

Ledger LedgerFile::read() const {
  if (!here()) return {};
  auto ledger = read_ledger(read_bounded(ledger_path(directory_), most_ledger_bytes));
  std::erase_if(ledger.runs, [](const LiveRun& run) { return !lives(run); });
  return ledger;
}

bool LedgerFile::change(const std::function<void(Ledger&)>& change) const {
  if (!here()) return false;
  const auto path = directory_ + "/agents.lock";
  const posix::Descriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!file.is_open() || !lock(file)) return false;
  auto ledger = read();
  change(ledger);
  return write_whole(ledger_path(directory_), to_json(ledger));
}

std::uint64_t born(int pid) {
  const auto text = read_bounded(fmt::format("/proc/{}/stat", pid), 4096);
  const auto name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::size_t at = name_end + 1;
  for (int field = 3; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at, nullptr, 10);
}

bool lives(const LiveRun& run) { return run.born != 0 && born(run.pid) == run.born; }

LiveRun this_process(std::string name, std::string group) {
  return {std::move(name), std::move(group), ::getpid(), born(::getpid()), LiveRun::Stage::waiting};
}

namespace {

std::uint64_t pid_namespace() {
  struct stat found{};
  return ::stat("/proc/self/ns/pid", &found) == 0 ? found.st_ino : 0;
}

std::string mark_of(int pid) { return fmt::format("{}/{}/{}", pid_namespace(), pid, born(pid)); }

}  // namespace

std::string caller_mark() { return mark_of(::getpid()); }

bool caller_lives(std::string_view mark) {
  const auto first = mark.find('/');
  if (first == std::string_view::npos) return false;
  const int pid = std::atoi(std::string(mark.substr(first + 1)).c_str());
  return pid > 0 && born(pid) != 0 && mark == mark_of(pid);
}

UnixMs unix_now() {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace arizuko::agents
