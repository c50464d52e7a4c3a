// Control groups (cgroup v2), where the host delegates some: one a service, below the group we run in.
//
//   <ours>/              given to us by systemd (Delegate=yes) or by a container engine
//     _arizuko-init/     ourselves: a group that hands controllers down may hold no process itself
//     gated/  teled/     one a service, made at its first start
//
// What they give: the processes of a service are known whatever these do to themselves, all of them are
// killed in one stroke, together they bear the limits of the plan, and what they use, and whether the
// kernel OOM-killed one, can be read. Detected, never required.
//
// Touches nothing but files below our own group. Files and their meaning: the kernel's
// admin-guide/cgroup-v2.rst; who may take a group over: systemd's CGROUP_DELEGATION.md.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "arizuko/host/process/spawn_error.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// What the kernel counts for all processes of one service together; absent where its controller is.
struct GroupUsage {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> memory_peak_bytes;  // since the group was made; Linux 5.19
  std::optional<std::uint64_t> processes;          // and threads
  std::optional<std::uint64_t> cpu_microseconds;   // since the group was made
  std::optional<std::uint64_t> memory_kills;       // processes that the kernel OOM-killed
};

/// What status, metrics and the start say about them.
struct GroupFacts {
  std::string path;                      // of our own group, as /proc/self/cgroup has it; empty: not in use
  std::vector<std::string> controllers;  // of "memory" and "pids": which limits hold
  std::string why_not;                   // a clause, when they are not in use
  bool has(std::string_view controller) const;
};

/// Open for as long as it lives: the directory of a service's group, for spawn().
class GroupDirectory {
 public:
  enum class Group { known, fresh };
  explicit GroupDirectory(int descriptor = -1, Group group = Group::known)
      : descriptor_(descriptor), group_(group) {}
  GroupDirectory(GroupDirectory&& other) noexcept;
  GroupDirectory& operator=(GroupDirectory&& other) noexcept;
  ~GroupDirectory();
  int descriptor() const { return descriptor_; }
  /// The group was made just now: what it counts begins anew.
  bool fresh() const { return group_ == Group::fresh; }

 private:
  int descriptor_;
  Group group_;
};

class ControlGroups {
 public:
  /// Takes over the group that this process is in, if it was delegated to us and nobody else is in it:
  /// moves this process into `_arizuko-init` and hands the controllers down. Once, before the first
  /// child. The error is a clause that says why there are none: "/sys/fs/cgroup/x is read-only, ...".
  static std::expected<ControlGroups, std::string> take_over();

  ControlGroups(ControlGroups&& other) noexcept;
  ControlGroups& operator=(ControlGroups&&) = delete;
  ~ControlGroups();

  /// What take_over() would find, without taking anything over: for doctor.
  static GroupFacts delegated();

  const GroupFacts& facts() const { return facts_; }

  /// The group of a service, made when it is missing, with these limits. A limit that cannot be set is
  /// no failure: it stands in trouble() until the next open(). Fails at the stage
  /// emptying_the_control_group while processes of an earlier arizuko-init, which it kills, are in it.
  std::expected<GroupDirectory, SpawnError> open(const std::string& service, const plan::GroupLimits& limits);
  const std::string& trouble() const { return trouble_; }

  /// SIGKILL to every process in the group of the service at once, however fast they fork (cgroup.kill);
  /// before Linux 5.14 to one after the other.
  void kill(const std::string& service);

  /// The service in whose group the process is; nullopt: in none of ours, or it is gone.
  std::optional<std::string> service_of(pid_t pid) const;

  /// The path of one of its files.
  std::string file(const std::string& service, const char* name) const;
  /// nullopt: it has not been started in a group.
  std::optional<GroupUsage> usage(const std::string& service) const;
  /// How many processes of the service the kernel OOM-killed since the group was made.
  std::uint64_t memory_kills(const std::string& service) const;

  /// Removes the groups that are empty: at the end.
  void remove();

 private:
  ControlGroups() = default;
  /// Our own group, if it is ours to divide; nothing is changed yet.
  static std::expected<ControlGroups, std::string> find();

  bool set(const std::string& service, const char* file, std::optional<std::uint64_t> limit);
  std::optional<std::uint64_t> number(const std::string& service, const char* file) const;
  std::optional<std::uint64_t> number(const std::string& service, const char* file,
                                      std::string_view key) const;
  std::optional<std::string> read(const std::string& service, const char* file) const;
  bool write(const std::string& service, const char* file, std::string_view text) const;

  int root_ = -1;          // our own group's directory
  std::string directory_;  // its path in the file system
  GroupFacts facts_;
  std::map<std::string, plan::GroupLimits, std::less<>> limits_;  // as last set, of the groups made
  std::set<std::string> spent_;                                   // groups that cgroup.kill was used on
  std::string trouble_;
};

/// How many processes of the group that we are in the kernel OOM-killed: evidence where
/// no groups are delegated, as in a pod. nullopt where that cannot be read.
class OwnMemoryEvents {
 public:
  OwnMemoryEvents();
  std::optional<std::uint64_t> kills() const;

 private:
  std::string path_;  // of memory.events, or of memory.oom_control; empty: there is none
};

struct IdleLimits {
  plan::ServiceId service = 0;
  plan::GroupLimits limits;  // those that do not hold
  std::string why;           // a clause
};
/// The limits of the plan that do not hold: without groups, or without the controller.
std::vector<IdleLimits> limits_without_effect(const plan::Plan& plan, const GroupFacts& facts);

}  // namespace arizuko::host
