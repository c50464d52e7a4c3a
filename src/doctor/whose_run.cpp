#include "whose_run.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "arizuko/host/process/process_table.hpp"
#include "files.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::string_view own_program = "arizuko-init";

struct Process {
  std::string name;
  pid_t parent = 0;
};

/// `17 (a name) S 1 ...`: proc(5). nullopt: it is gone, or cannot be seen from here.
std::optional<Process> look_at(pid_t pid) {
  constexpr std::size_t longest = 4096;
  const std::string stat = read_bounded(fmt::format("/proc/{}/stat", pid), longest).value_or("");
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open == stat.npos || close == stat.npos || close + 4 >= stat.size()) return std::nullopt;
  Process process{stat.substr(open + 1, close - open - 1), 0};
  std::from_chars(stat.data() + close + 4, stat.data() + stat.size(), process.parent);
  return process;
}

bool environment_is_marked(pid_t pid) {
  constexpr std::size_t longest = 1024 * 1024;
  const std::string text = '\0' + read_bounded(fmt::format("/proc/{}/environ", pid), longest).value_or("");
  return text.contains(fmt::format("{}{}=", '\0', host::mark_variable));
}

/// By the soft RLIMIT_RTTIME, which everybody may read: host::limit_mark sets its highest byte.
bool limit_is_marked(pid_t pid) {
  constexpr std::size_t longest = 16 * 1024;
  constexpr std::string_view name = "Max realtime timeout";
  const std::uint64_t prefix = host::limit_mark("any/1") >> 56;
  const std::string text = read_bounded(fmt::format("/proc/{}/limits", pid), longest).value_or("");
  const std::size_t line = text.find(name);
  if (line == text.npos) return false;
  const std::size_t from = text.find_first_not_of(' ', line + name.size());
  std::uint64_t soft = 0;
  if (from == text.npos) return false;
  const auto parsed = std::from_chars(text.data() + from, text.data() + text.size(), soft);
  return parsed.ec == std::errc{} && soft >> 56 == prefix;
}

}  // namespace

RunOf run_of(pid_t pid, const std::optional<LockHolder>& instance) {
  const pid_t living = instance && instance->pid ? *instance->pid : 0;
  constexpr int deepest = 1000;
  pid_t at = pid;
  for (int level = 0; level < deepest && at > 0; ++level) {
    if (at == living) return RunOf::this_instance;
    const auto process = look_at(at);
    if (!process) break;
    if (process->name == own_program) return RunOf::another_instance;
    at = process->parent;
  }
  if (!environment_is_marked(pid) && !limit_is_marked(pid)) return RunOf::nobody;
  return living != 0 && !look_at(living) ? RunOf::untold : RunOf::dead_instance;
}

}  // namespace arizuko::doctor
