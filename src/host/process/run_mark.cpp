#include "arizuko/host/process/run_mark.hpp"

#include <algorithm>
#include <charconv>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/base/fnv1a.hpp"
#include "proc_fs.hpp"

namespace arizuko::host {
namespace {

constexpr std::uint64_t prefix = 0x41;
constexpr int prefix_at = 56;
constexpr int instance_bits = 28;
constexpr std::uint64_t instance_mask = (std::uint64_t{1} << instance_bits) - 1;
constexpr std::size_t instance_digits = instance_bits / 4;

/// The last part of "gated/3/0a1b2c3"; 0 when there is none.
std::uint32_t instance_in(std::string_view mark) {
  const std::size_t slash = mark.rfind('/');
  if (slash == mark.npos || mark.size() - slash - 1 != instance_digits) return 0;
  std::uint32_t instance = 0;
  const auto [end, error] = std::from_chars(mark.data() + slash + 1, mark.data() + mark.size(), instance, 16);
  return error == std::errc{} && end == mark.data() + mark.size() ? instance : 0;
}

std::optional<std::uint64_t> marked_limit(pid_t pid) {
  const auto limit = soft_limit(pid, RLIMIT_RTTIME);
  return limit && *limit >> prefix_at == prefix ? limit : std::nullopt;
}

enum class Above { supervisor, another, none };

/// The next arizuko-init above a process, or the process itself.
Above above(pid_t pid, pid_t supervisor) {
  constexpr int deepest = 1000;
  for (int level = 0; level < deepest && pid > 0; ++level) {
    if (pid == supervisor) return Above::supervisor;
    const auto stat = read_stat(pid);
    if (!stat) break;
    if (stat->name == "arizuko-init") return Above::another;
    pid = stat->parent;
  }
  return Above::none;
}

}  // namespace

std::uint32_t instance_mark(const std::string& data_dir) {
  struct stat found{};
  if (::stat(data_dir.c_str(), &found) != 0) return 0;
  const std::uint64_t hash = base::fnv1a<std::uint64_t>(fmt::format("{}:{}", found.st_dev, found.st_ino));
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>((hash >> instance_bits) & instance_mask));
}

std::string run_mark(std::string_view service, std::uint32_t spawn, std::uint32_t instance,
                     std::uint32_t check) {
  const std::string number = check == 0 ? std::to_string(spawn) : fmt::format("{}.{}", spawn, check);
  return fmt::format("{}/{}/{:07x}", service, number, instance);
}

std::uint64_t limit_mark(std::string_view mark) {
  return prefix << prefix_at | std::uint64_t{instance_in(mark)} << instance_bits |
         (base::fnv1a<std::uint64_t>(mark) >> instance_bits & instance_mask);
}

std::optional<ProcessMark> mark_of(pid_t pid) {
  const EnvironmentLook told = read_environment(pid, mark_variable);
  ProcessMark mark;
  if (told.value) {
    mark.instance = instance_in(*told.value);
    mark.service = told.value->substr(0, told.value->find('/'));
    std::erase_if(mark.service, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  }
  // The number cannot be made up by a shell's `export`.
  const auto limit = marked_limit(pid);
  if (limit) mark.instance = static_cast<std::uint32_t>(*limit >> instance_bits & instance_mask);
  if (!limit && !told.value) return std::nullopt;
  return mark;
}

RunOf run_of(pid_t pid, std::uint32_t instance, pid_t supervisor) {
  const Above by = above(pid, supervisor);
  if (by == Above::supervisor) return RunOf::living_run;
  const auto mark = mark_of(pid);
  // What a dead run of this instance left may have gone to another arizuko-init, which is a subreaper.
  const bool of_this_instance = mark && instance != 0 && mark->instance == instance;
  if (by == Above::another && !of_this_instance) return RunOf::another_instance;
  if (!mark) return RunOf::nobody;
  return supervisor > 0 && !read_stat(supervisor) ? RunOf::untold : RunOf::dead_run;
}

std::vector<MarkedProcess> marked_processes(std::uint32_t instance) {
  std::vector<MarkedProcess> found;
  if (instance == 0) return found;
  for (const pid_t pid : all_processes()) {
    auto mark = mark_of(pid);
    if (!mark || mark->instance != instance) continue;
    auto stat = read_stat(pid);
    if (!stat || !stat->alive()) continue;
    std::erase_if(stat->name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    found.push_back({pid, std::move(stat->name), std::move(mark->service)});
  }
  return found;
}

}  // namespace arizuko::host
