// The mark that every process of a run carries, and what it tells one who did not start it: which data
// directory it works on, and whether its supervisor is dead.
//
// It stands in two places. The environment names it (mark_variable); the soft RLIMIT_RTTIME repeats it as a
// number, which survives fork, setsid and exec with whatever environment. Processes of other users can be
// read too, by /proc/PID/limits. Nothing here keeps a state, sends a signal, or waits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace arizuko::host {

/// Set for each child to "<service>/<spawn number>/<instance>": run_mark().
inline constexpr std::string_view mark_variable = "ARIZUKO_INIT_SERVICE";

/// A data directory as a number of 28 bits, made of its device and inode; 0: it cannot be looked at.
std::uint32_t instance_mark(const std::string& data_dir);

/// "gated/3/0a1b2c3"; of the seventh command that looks at a condition "gated/3.7/0a1b2c3".
std::string run_mark(std::string_view service, std::uint32_t spawn, std::uint32_t instance,
                     std::uint32_t check = 0);

/// `mark` as a soft RLIMIT_RTTIME: a prefix, the instance (0 when `mark` names none), a hash of the rest.
/// Every process inherits it, nobody sets it, and it would end only a real-time process that has not slept
/// for 100,000 years (getrlimit(2)).
std::uint64_t limit_mark(std::string_view mark);

struct ProcessMark {
  std::uint32_t instance = 0;  // 0: not known
  std::string service;         // empty: its environment does not tell, or may not be read
};

/// The mark of a living process; nullopt: it has none that we can see.
std::optional<ProcessMark> mark_of(pid_t pid);

enum class RunOf {
  nobody,            // a stranger: it has no mark, and no arizuko-init above it
  living_run,        // it descends from `supervisor`, or is it
  another_instance,  // likewise of another arizuko-init that lives
  dead_run,          // it has a mark, and the arizuko-init that started it is gone
  untold,            // it has a mark, and `supervisor` cannot be seen from here: it may be of its run
};

/// Whose run a process is of. The mark tells only that one of us has started it; whether that one lives is
/// told by its parents: a living arizuko-init, PID 1 or subreaper, is an ancestor of all that it has started,
/// and what an ended one left has gone to somebody else. `supervisor` holds the lock of the data directory
/// that `instance` stands for; 0: nobody does.
RunOf run_of(pid_t pid, std::uint32_t instance, pid_t supervisor);

struct MarkedProcess {
  pid_t pid = 0;
  std::string name;     // comm, without control characters
  std::string service;  // as in ProcessMark
};

/// The living processes with a mark of this instance, of whatever run.
std::vector<MarkedProcess> marked_processes(std::uint32_t instance);

}  // namespace arizuko::host
