#include "arizuko/host/groups/control_groups.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/posix/files.hpp"
#include "control_group_files.hpp"
#include "host/process/proc_fs.hpp"

namespace arizuko::host {
namespace {

/// Not a service's name: those begin with a letter or a digit.
constexpr const char* own_part = "_arizuko-init";
/// Those whose limits a plan has.
constexpr std::array<std::string_view, 2> wanted_controllers{"memory", "pids"};
constexpr std::size_t largest_file = 64 * 1024;
constexpr std::size_t largest_mountinfo = 1024 * 1024;

std::string error_text(int error) {
  return fmt::format("{} ({})", ::strerrordesc_np(error), ::strerrorname_np(error));
}

/// At most `largest_file` bytes of a file below `root`; nullopt when it cannot be read.
std::optional<std::string> read_below(int root, const std::string& path) {
  auto text = posix::read_kernel_file(root, path, largest_file);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

/// The kernel takes such a file in one write, or not at all.
bool write_below(int root, const std::string& path, std::string_view text) {
  const int file = ::openat(root, path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t done = 0;
  do {
    done = ::write(file, text.data(), text.size());
  } while (done < 0 && errno == EINTR);
  const int error = errno;
  ::close(file);
  errno = error;
  return done == static_cast<ssize_t>(text.size());
}

struct OwnGroup {
  std::string path;       // as /proc/self/cgroup has it
  std::string directory;  // in the file system
};

std::expected<OwnGroup, std::string> own_group() {
  auto path = unified_group(read_whole("/proc/self/cgroup", largest_file).value_or(""));
  if (!path) return std::unexpected("this kernel runs without control groups of version 2");
  auto directory = group_directory(read_whole("/proc/self/mountinfo", largest_mountinfo).value_or(""), *path);
  if (!directory) return std::unexpected(fmt::format("the control group {} is not mounted here", *path));
  return OwnGroup{std::move(*path), std::move(*directory)};
}

/// A group with those that were made in it, by a daemon that runs containers, say. The kernel refuses while a
/// process is in one of them.
void remove_group(const std::string& path, int levels = 8) {
  std::error_code error;
  std::vector<std::string> below;
  for (std::filesystem::directory_iterator each(path, error), end; !error && each != end;
       each.increment(error)) {
    if (each->is_directory(error) && !each->is_symlink(error)) below.push_back(each->path());
  }
  for (const std::string& each : below) {
    if (levels > 0) remove_group(each, levels - 1);
  }
  ::rmdir(path.c_str());
}

bool is_marked_delegated(int root) {
  // systemd marks what it delegates: `user.` since 251, `trusted.`, which only root can read, before.
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (::fgetxattr(root, name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

/// Why the group is not ours to divide; empty: it is. Whoever is not root can only write to it if it was
/// given to him; root can write to any.
std::string why_not_ours(int root, const std::string& directory, const std::string& path) {
  struct statvfs system{};
  if (::fstatvfs(root, &system) == 0 && (system.f_flag & ST_RDONLY) != 0) {
    return fmt::format("{} is read-only, as in an ordinary container", directory);
  }
  // The root of all groups has no type. In a container's namespace "/" is that container's own group.
  if (path == "/" && ::faccessat(root, "cgroup.type", F_OK, 0) != 0) {
    return fmt::format("{} is the root of all control groups", directory);
  }
  const bool writable = ::faccessat(root, ".", W_OK | X_OK, AT_EACCESS) == 0 &&
                        ::faccessat(root, "cgroup.procs", W_OK, AT_EACCESS) == 0;
  const bool given = ::geteuid() != 0 || path == "/" || is_marked_delegated(root);
  if (!writable || !given) {
    return fmt::format("{} is not delegated to uid {}; a systemd unit does that by Delegate=yes", directory,
                       ::geteuid());
  }
  const auto members = read_below(root, "cgroup.procs");
  if (members && *members != fmt::format("{}\n", ::getpid())) {
    return fmt::format("other processes are in {} too", directory);
  }
  return {};
}

}  // namespace

// --- GroupDirectory

GroupDirectory::GroupDirectory(GroupDirectory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), group_(other.group_) {}

GroupDirectory& GroupDirectory::operator=(GroupDirectory&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(group_, other.group_);
  return *this;
}

GroupDirectory::~GroupDirectory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// --- ControlGroups

ControlGroups::ControlGroups(ControlGroups&& other) noexcept
    : root_(std::exchange(other.root_, -1)),
      directory_(std::move(other.directory_)),
      facts_(std::move(other.facts_)),
      limits_(std::move(other.limits_)),
      spent_(std::move(other.spent_)),
      trouble_(std::move(other.trouble_)) {}

ControlGroups::~ControlGroups() {
  if (root_ >= 0) ::close(root_);
}

std::expected<ControlGroups, std::string> ControlGroups::find() {
  auto own = own_group();
  if (!own) return std::unexpected(std::move(own.error()));
  ControlGroups groups;
  groups.facts_.path = std::move(own->path);
  groups.directory_ = std::move(own->directory);
  groups.root_ = ::open(groups.directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (groups.root_ < 0)
    return std::unexpected(fmt::format("opening {}: {}", groups.directory_, error_text(errno)));
  if (std::string why = why_not_ours(groups.root_, groups.directory_, groups.facts_.path); !why.empty())
    return std::unexpected(std::move(why));
  const std::string available = read_below(groups.root_, "cgroup.controllers").value_or("");
  for (const std::string_view each : wanted_controllers) {
    if (names_controller(available, each)) groups.facts_.controllers.emplace_back(each);
  }
  return groups;
}

GroupFacts ControlGroups::delegated() {
  auto found = find();
  return found ? std::move(found->facts_) : GroupFacts{"", {}, std::move(found.error())};
}

std::expected<ControlGroups, std::string> ControlGroups::take_over() {
  auto groups = find();
  if (!groups) return groups;
  const auto failed = [&](std::string_view doing) {
    return std::unexpected(fmt::format("{} {}: {}", doing, groups->directory_, error_text(errno)));
  };
  if (::mkdirat(groups->root_, own_part, 0755) != 0 && errno != EEXIST) return failed("making a group in");
  if (!groups->write(own_part, "cgroup.procs", "0")) {
    const int error = errno;
    ::unlinkat(groups->root_, own_part, AT_REMOVEDIR);
    errno = error;
    return failed("moving into a group of");
  }
  // One by one: what cannot be handed down leaves the others.
  std::erase_if(groups->facts_.controllers, [&](const std::string& each) {
    return !write_below(groups->root_, "cgroup.subtree_control", "+" + each);
  });
  return groups;
}

std::optional<std::uint64_t> ControlGroups::number(const std::string& service, const char* file) const {
  const auto text = read(service, file);
  return text ? single_number(*text) : std::nullopt;
}

std::optional<std::uint64_t> ControlGroups::number(const std::string& service, const char* file,
                                                   std::string_view key) const {
  const auto text = read(service, file);
  return text ? keyed_number(*text, key) : std::nullopt;
}

std::optional<std::string> ControlGroups::read(const std::string& service, const char* file) const {
  return read_below(root_, fmt::format("{}/{}", service, file));
}

bool ControlGroups::write(const std::string& service, const char* file, std::string_view text) const {
  return write_below(root_, fmt::format("{}/{}", service, file), text);
}

bool ControlGroups::set(const std::string& service, const char* file, std::optional<std::uint64_t> limit) {
  const std::string text = limit ? std::to_string(*limit) : "max";
  if (write(service, file, text)) return true;
  trouble_ += fmt::format("{}setting {} of {}/{} to {}: {}", trouble_.empty() ? "" : "; ", file, directory_,
                          service, text, error_text(errno));
  return false;
}

std::expected<GroupDirectory, SpawnError> ControlGroups::open(const std::string& service,
                                                              const plan::GroupLimits& limits) {
  trouble_.clear();
  const auto failed = [&](SpawnStage stage, int error) {
    return std::unexpected(SpawnError{stage, error, fmt::format("{}/{}", directory_, service)});
  };
  auto known = limits_.find(service);
  const bool spent = spent_.contains(service);
  bool fresh = false;
  if (known == limits_.end() || spent) {
    const auto populated = number(service, "cgroup.events", "populated");
    if (populated == 1) {
      kill(service);
      return failed(SpawnStage::emptying_the_control_group, EBUSY);
    }
    // Never one that somebody else has made, and no second life for one that was killed: Linux (seen
    // with 6.18) goes on killing what clone3 puts into a group on which cgroup.kill was used once.
    if (populated) remove_group(directory_ + '/' + service);
    if (::mkdirat(root_, service.c_str(), 0755) != 0)
      return failed(SpawnStage::making_the_control_group, errno);
    spent_.erase(service);
    limits_[service] = {};
    known = limits_.find(service);
    fresh = true;
  }
  GroupDirectory opened(::openat(root_, service.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                        fresh ? GroupDirectory::Group::fresh : GroupDirectory::Group::known);
  if (opened.descriptor() < 0 && errno == ENOENT && !fresh) {
    limits_.erase(known);  // somebody has removed it
    return open(service, limits);
  }
  if (opened.descriptor() < 0) return failed(SpawnStage::making_the_control_group, errno);

  const plan::GroupLimits before = known->second;
  bool all_set = true;
  // The gentle one first: memory.max is not to be met before memory.high has been.
  if (facts_.has("memory") && limits.memory_high != before.memory_high)
    all_set &= set(service, "memory.high", limits.memory_high);
  if (facts_.has("memory") && limits.memory_max != before.memory_max)
    all_set &= set(service, "memory.max", limits.memory_max);
  if (facts_.has("pids") && limits.pids_max != before.pids_max)
    all_set &= set(service, "pids.max", limits.pids_max);
  if (all_set) known->second = limits;  // else all of it is tried again at the next start
  return opened;
}

std::string ControlGroups::file(const std::string& service, const char* name) const {
  return fmt::format("{}/{}/{}", directory_, service, name);
}

void ControlGroups::kill(const std::string& service) {
  spent_.insert(service);
  if (write(service, "cgroup.kill", "1")) return;
  std::istringstream members(read(service, "cgroup.procs").value_or(""));
  // 0 is a process of another namespace, which has no number here.
  for (pid_t pid = 0; members >> pid;) {
    if (pid > 1) ::kill(pid, SIGKILL);
  }
}

std::optional<std::string> ControlGroups::service_of(pid_t pid) const {
  const auto text = read_whole(fmt::format("/proc/{}/cgroup", pid).c_str(), largest_file);
  const auto group = text ? unified_group(*text) : std::nullopt;
  auto part = group ? part_below(*group, facts_.path) : std::nullopt;
  return part && *part != own_part ? std::move(part) : std::nullopt;
}

std::optional<GroupUsage> ControlGroups::usage(const std::string& service) const {
  if (!limits_.contains(service)) return std::nullopt;
  return GroupUsage{.memory_bytes = number(service, "memory.current"),
                    .memory_peak_bytes = number(service, "memory.peak"),
                    .processes = number(service, "pids.current"),
                    .cpu_microseconds = number(service, "cpu.stat", "usage_usec"),
                    .memory_kills = number(service, "memory.events", "oom_kill")};
}

std::uint64_t ControlGroups::memory_kills(const std::string& service) const {
  return facts_.has("memory") ? number(service, "memory.events", "oom_kill").value_or(0) : 0;
}

void ControlGroups::remove() {
  for (const auto& [service, limits] : limits_) remove_group(directory_ + '/' + service);
  limits_.clear();
}

// --- OwnMemoryEvents

OwnMemoryEvents::OwnMemoryEvents() {
  if (const auto own = own_group()) path_ = own->directory + "/memory.events";
  if (kills()) return;
  // Version 1, or both beside each other: there the memory controller has one hierarchy of its own, and its
  // memory.oom_control counts since Linux 4.13 (admin-guide/cgroup-v1/memory.rst).
  const auto group = memory_group_v1(read_whole("/proc/self/cgroup", largest_file).value_or(""));
  if (!group) return;
  const auto directory =
      memory_directory_v1(read_whole("/proc/self/mountinfo", largest_mountinfo).value_or(""), *group);
  if (directory) path_ = *directory + "/memory.oom_control";
}

std::optional<std::uint64_t> OwnMemoryEvents::kills() const {
  const auto text = path_.empty() ? std::nullopt : read_whole(path_.c_str(), largest_file);
  return text ? keyed_number(*text, "oom_kill") : std::nullopt;
}

// --- What does not hold

bool GroupFacts::has(std::string_view controller) const {
  return std::ranges::find(controllers, controller) != controllers.end();
}

std::vector<IdleLimits> limits_without_effect(const plan::Plan& plan, const GroupFacts& facts) {
  const std::string given =
      facts.controllers.empty() ? "none" : fmt::format("{}", fmt::join(facts.controllers, ", "));
  const std::string why = facts.path.empty()
                              ? facts.why_not
                              : fmt::format("of the controllers {} was given {}", facts.path, given);
  std::vector<IdleLimits> idle;
  for (plan::ServiceId id = 0; id < plan.services.size(); ++id) {
    plan::GroupLimits limits = plan.services[id].group;
    if (facts.has("memory")) limits.memory_high = limits.memory_max = std::nullopt;
    if (facts.has("pids")) limits.pids_max = std::nullopt;
    if (plan.services[id].enabled && limits.any()) idle.push_back({id, limits, why});
  }
  return idle;
}

}  // namespace arizuko::host
