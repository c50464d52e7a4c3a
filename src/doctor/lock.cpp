// Who runs on the data directory: the lock that data_lock.hpp describes, looked at from outside.
#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "arizuko/doctor/checks.hpp"
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
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.open()) return std::nullopt;  // never started here; or data-dir has said that it cannot be read
  if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return errno == EWOULDBLOCK ? std::optional(described(path)) : std::nullopt;
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
