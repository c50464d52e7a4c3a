// The texts in which the kernel tells of control groups. Pure; private to the host layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arizuko::host {

/// The path after "0::" in /proc/PID/cgroup: the group of version 2 that the process is in (cgroups(7)).
std::optional<std::string> unified_group(std::string_view proc_cgroup);

/// Where that group is in the file system, by /proc/self/mountinfo (proc(5)): a mount of type cgroup2 whose
/// root holds it. nullopt: none is mounted that does.
std::optional<std::string> group_directory(std::string_view mountinfo, std::string_view group);

/// The memory group of version 1 in /proc/PID/cgroup: "9:memory:/kubepods/pod1" (cgroups(7)).
std::optional<std::string> memory_group_v1(std::string_view proc_cgroup);
/// Where that group is in the file system: group_directory of a mount of type cgroup with the option memory.
std::optional<std::string> memory_directory_v1(std::string_view mountinfo, std::string_view group);

/// The number behind `key` in a flat keyed file: "oom_kill 3".
std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key);

/// A file that holds one number and a newline. "max" is none.
std::optional<std::uint64_t> single_number(std::string_view text);

/// Whether the blank-separated list in cgroup.controllers names it.
bool names_controller(std::string_view text, std::string_view controller);

/// The first part of `group` below `ours`: the service in whose group, or below it, a process is.
std::optional<std::string> part_below(std::string_view group, std::string_view ours);

}  // namespace arizuko::host
