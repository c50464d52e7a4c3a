// Starts one child, exactly as promised: own session, clean signal state, three descriptors, limits,
// user, working directory, explicit environment. Nothing else of arizuko-init reaches it.
//
// The child shares our memory until it executes (clone with CLONE_VM|CLONE_VFORK, as posix_spawn(3)
// does): no page table is copied, whatever our size. All signals are blocked meanwhile, so that no
// handler of ours runs in the child. A failure names its stage and errno: "setting limits: ...".
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace arizuko::host {

struct ChildSpec {
  std::string executable;                // path with a '/', see find_executable
  std::vector<std::string> argv;         // argv[0] included
  std::vector<std::string> environment;  // "NAME=value"
  std::string cwd;                       // absolute
  int out = -1;                          // becomes descriptor 1
  int err = -1;                          // becomes descriptor 2; descriptor 0 is /dev/null
  std::uint64_t nofile = 0;              // soft RLIMIT_NOFILE; 0: as inherited
  std::uint64_t limit_mark = 0;          // soft RLIMIT_RTTIME: limit_mark() of process_table.hpp
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::vector<std::uint32_t> groups;  // supplementary ones of that user; empty: gid
  std::uint32_t umask = 022;
  int group = -1;  // directory of the control group that it is born in (cgroup v2); -1: ours
};

enum class SpawnStage {
  marking_the_task,
  finding_the_program,
  making_the_log_pipes,
  making_the_control_group,
  emptying_the_control_group,  // of what an earlier arizuko-init has left there
  forking,
  joining_the_control_group,
  starting_a_session,
  resetting_signals,
  placing_descriptors,
  setting_limits,
  switching_the_group,
  switching_the_user,
  dropping_privileges,  // PR_SET_NO_NEW_PRIVS
  entering_the_directory,
  executing,
};

std::string_view to_text(SpawnStage stage);

struct SpawnError {
  SpawnStage stage = SpawnStage::forking;
  int error = 0;        // errno
  std::string subject;  // the path or limit it is about; may be empty
  int killed_by = 0;    // the signal that ended the child in this stage, which then could tell nothing; or 0

  /// True for EAGAIN, EBUSY, ENOMEM, EMFILE, ENFILE, ETXTBSY and a child that was killed: the same call may
  /// succeed later.
  bool passing() const;
};

/// "cannot start gated: executing /usr/local/bin/gated: No such file or directory (ENOENT)"
/// with a hint for what operators meet (ENOENT of a file that is there: the interpreter or the musl
/// loader is missing, T39).
std::string to_text(const SpawnError& error);

/// Looks `program` up in the colon-separated `path`, as execvp(3) would; a name with '/' is itself.
std::expected<std::string, SpawnError> find_executable(std::string_view program, std::string_view path);

/// Bit n-1 stands for signal n.
inline constexpr std::uint64_t every_signal = ~std::uint64_t{0};

/// The signals that are not at SIG_DFL in this process: ignored or handled. 64 system calls, 7 us.
std::uint64_t changed_signals();

/// Starts the child and returns its process id once execve has succeeded. Blocks for the time of the
/// fork and exec. After a failure no child is left; one that is killed before execve is a failure, too.
/// `reset_signals`: those that the child sets to SIG_DFL, at least all of changed_signals(); each costs a
/// system call. A handler that is left out would run in the child, on our memory.
std::expected<pid_t, SpawnError> spawn(const ChildSpec& spec, std::uint64_t reset_signals = every_signal);

}  // namespace arizuko::host
