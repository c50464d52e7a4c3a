// What /proc says about processes: state, parent, children, open sockets. Private to the host layer.
//
// A process may end between any two reads: every function says so with an empty answer, never with an
// error. Nothing is cached here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace arizuko::host {

/// The whole of a file in which the kernel tells of itself, at most `limit` bytes; nullopt when it cannot be
/// read. Not for what others can make: posix/files.hpp.
std::optional<std::string> read_whole(const char* path, std::size_t limit);

struct ProcessStat {
  char state = '?';
  pid_t parent = 0;
  int threads = 0;
  std::string name;         // comm
  bool has_memory = false;  // false in the middle of execve and of exit, and where we may not look
  /// A leader whose other threads still run is shown as Z as well, and lives.
  bool alive() const { return (state != 'Z' && state != 'X' && state != 'x') || threads > 1; }
};
std::optional<ProcessStat> read_stat(pid_t pid);

/// What the environment that a process was started with says about one name.
struct EnvironmentLook {
  std::optional<std::string> value;
  /// The process is in the middle of execve or of exit: ask again. Until then nothing is known.
  bool in_between = false;
};
EnvironmentLook read_environment(pid_t pid, std::string_view name);

/// The soft limit `resource` of a process; RLIMIT_RTTIME can be asked of everybody's.
std::optional<std::uint64_t> soft_limit(pid_t pid, int resource);

/// All numeric folders of /proc.
std::vector<pid_t> all_processes();

enum class ChildrenBy {
  file,  // /proc/PID/task/TID/children: CONFIG_PROC_CHILDREN
  scan,  // the parent in each /proc/PID/stat
};
/// file, where the kernel has it.
ChildrenBy children_by();

/// The children of this (single-threaded) process. Exact: a child leaves the list only when we reap it.
std::vector<pid_t> own_children(ChildrenBy by);

struct Descendant {
  pid_t pid = 0;
  pid_t parent = 0;
};
/// Everything that descends from `roots`, without the roots themselves, parents before children.
std::vector<Descendant> descendants(std::span<const pid_t> roots, ChildrenBy by);

/// find_tcp_listeners (listeners.hpp) as it works where sock_diag(7) is not available: by /proc/net/tcp and
/// tcp6.
std::optional<std::vector<std::uint64_t>> tcp_listeners_by_table(const std::string& address,
                                                                 std::uint16_t port);

/// A socket found in the hands of a process.
struct HeldSocket {
  pid_t pid = 0;
  int descriptor = -1;
  std::uint64_t inode = 0;
};
struct HeldLook {
  std::optional<HeldSocket> held;
  /// One of `pids` whose descriptors the kernel does not show to us: it may hold one all the same. 0: none.
  pid_t unseen = 0;
};
HeldLook find_held(std::span<const pid_t> pids, std::span<const std::uint64_t> inodes);
/// False where no /proc is mounted: then nothing is known of any process.
bool proc_is_there();
/// One readlink: is it still the same socket in the same hands?
bool still_held(const HeldSocket& held);

}  // namespace arizuko::host
