// Who runs on the data directory: the lock that data_lock.hpp describes, looked at from outside.
#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/host/state/last_run.hpp"
#include "arizuko/posix/files.hpp"
#include "files.hpp"
#include "holder.hpp"

namespace arizuko::doctor {

namespace {

std::string lock_path(const std::string& data_dir) { return data_dir + "/.arizuko-init/lock"; }

/// The value of a line "<name> value"; without control characters, for it comes from a file.
std::string field(const std::string& text, std::string_view name) {
  const std::size_t at = text.starts_with(name) ? 0 : text.find(fmt::format("\n{}", name));
  if (at == text.npos) return {};
  const std::size_t from = text.find(' ', at) + 1;
  std::string value = text.substr(from, text.find('\n', from) - from);
  std::erase_if(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return value;
}

std::string this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool is_locked(int file) {
  if (::flock(file, LOCK_SH | LOCK_NB) == 0) {
    ::flock(file, LOCK_UN);
    return false;
  }
  return errno == EWOULDBLOCK;
}

LockHolder described(const std::string& path) {
  constexpr std::size_t longest = 4096;
  const std::string text = read_bounded(path, longest).value_or("");
  const std::string pid = field(text, "pid ");
  const std::string host = field(text, "host ");
  LockHolder holder;
  pid_t number = 0;
  if (std::from_chars(pid.data(), pid.data() + pid.size(), number).ec == std::errc{}) holder.pid = number;
  holder.on_this_host = host == this_host();
  holder.text = pid.empty() || host.empty() ? "another arizuko-init"
                                            : fmt::format("arizuko-init with pid {} on host {} since {}", pid,
                                                          host, field(text, "start "));
  return holder;
}

}  // namespace

std::optional<LockHolder> lock_holder(const std::string& data_dir) {
  const std::string path = lock_path(data_dir);
  const auto file = posix::open_to_read(AT_FDCWD, path, posix::Links::refused);
  // Where there is none, it was never started here, or a daemon has deleted the file under a running one.
  if (file && is_locked(file->get())) return described(path);
  const auto directory = posix::open_directory(AT_FDCWD, data_dir, posix::Links::followed);
  if (directory && is_locked(directory->get())) return described(path);
  return std::nullopt;
}

Findings check_last_run(const Context& context) {
  const std::string& data_dir = context.plan.pod.data_dir;
  const auto holder = lock_holder(data_dir);
  // One that cannot be seen from here has its processes where we cannot see whose they are.
  if (holder && !(holder->pid && holder->on_this_host)) return {};
  const std::uint32_t instance = host::instance_mark(data_dir);
  const pid_t supervisor = holder ? *holder->pid : 0;
  std::vector<host::MarkedProcess> left = host::marked_processes(instance);
  std::erase_if(left, [&](const host::MarkedProcess& each) {
    return host::run_of(each.pid, instance, supervisor) != host::RunOf::dead_run;
  });
  if (left.empty()) return {};
  return one(
      Severity::error, "last-run", {data_dir, 0, 0}, "",
      fmt::format("an earlier run died and left processes alive: {}", host::to_text(left)),
      "they hold its ports and its database: two routers on one database lose messages",
      holder ? "end them: kill, and the pids above"
             : "the next `run` ends them before it starts anything; or end them: kill, and the pids above");
}

Findings check_lock(const Context& context) {
  const auto holder = lock_holder(context.plan.pod.data_dir);
  if (!holder) return {};
  const plan::Location where{lock_path(context.plan.pod.data_dir), 0, 0};
  if (holder->on_this_host) {
    return one(Severity::note, "lock", where, "", fmt::format("{} runs on this data directory", holder->text),
               "a second one would end with exit 77", "`arizuko-init status` shows how it is");
  }
  return one(
      Severity::error, "lock", where, "",
      fmt::format("{} holds this data directory, on another host", holder->text),
      "only one may run on it: two would answer every message twice, and SQLite's WAL needs one kernel "
      "(T25)",
      "stop that one first; in Kubernetes: one replica, strategy Recreate");
}

}  // namespace arizuko::doctor
