// Which processes are whose: the main process of each service, and everything that descends from it.
//
// The one place that calls waitpid. We are PID 1 or a child subreaper, so a process whose parent died
// becomes our child: the leftovers of a service are our children that are no main process, and what
// descends from them. A leftover is attributed by its control group where there are some
// (GroupHooks), else by its session (each main process leads one), else by
// the mark among its resource limits (survives fork, setsid and exec, with whatever environment), else
// by the mark MARK_VARIABLE in its environment (/proc/PID/environ), else by the parent it was seen with.
// What cannot be attributed is a stray: counted, ended at the very end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include "arizuko/engine/run_id.hpp"
#include "arizuko/host/process/run_mark.hpp"

namespace arizuko::host {

/// One run of one service, or one command that was started for it (an exec condition): its own tree of
/// processes, with a session and a mark of its own.
struct RunKey : engine::RunId {
  std::uint32_t check = 0;  // counts from 1; 0: the run itself
  bool is_check() const { return check != 0; }
  /// The run that this is part of.
  RunKey run() const { return RunKey{static_cast<const engine::RunId&>(*this)}; }
  auto operator<=>(const RunKey&) const = default;
};

struct Reaped {
  pid_t pid = 0;
  int wait_status = 0;         // as waitpid gives it
  std::optional<RunKey> main;  // set when it was the main process of this run or check; else an orphan
};

struct ProcessInfo {
  pid_t pid = 0;
  std::string name;  // comm
};

/// What control groups tell and do, where services have some.
struct GroupHooks {
  /// The service in whose group the process is; nullopt: in none, or it is gone.
  std::function<std::optional<std::string>(pid_t pid)> service_of;
  /// SIGKILL to every process in the group of the service, in one stroke.
  std::function<void(const std::string& service)> kill;
  explicit operator bool() const { return service_of && kill; }
};

class ProcessTable {
 public:
  ProcessTable();

  /// Makes this process a subreaper unless it is PID 1. Call once, before the first spawn.
  /// Returns false, with errno, when the kernel refuses.
  static bool become_reaper();

  /// From now on a process's control group says first whose it is, and a whole group is killed at once.
  /// Both hooks are there.
  void use(GroupHooks groups) { groups_ = std::move(groups); }

  /// A main process was started for this run or check; `mark` is what its environment carries.
  void add(RunKey run, pid_t main, std::string mark);
  /// The run is over and has no leftovers: forget it.
  void forget(RunKey run);

  /// Collects every child that has ended (waitpid until nothing is left).
  std::vector<Reaped> reap(std::size_t most = static_cast<std::size_t>(-1));

  /// The living processes of the run beside its main process, those of its checks too. One small read when
  /// there are none.
  std::vector<ProcessInfo> leftovers(RunKey run);
  /// The main process, if it lives, and all leftovers; without the checks, which do not serve for it.
  std::vector<pid_t> members(RunKey run);
  /// The run that `pid` belongs to, if it is one of ours (walks up its parents).
  std::optional<RunKey> owner_of(pid_t pid);

  /// Signals the main process (if it lives), or each leftover. SIGCONT follows SIGTERM and SIGKILL so
  /// that a stopped process dies of it. Returns how many were signalled.
  int signal_main(RunKey run, int signal_number);
  int signal_leftovers(RunKey run, int signal_number);
  /// Kills every process of ours that belongs to no run: strays at the end. Never kill(-1).
  int kill_strays();

  /// Children of ours that are no main process, attributed or not.
  std::vector<ProcessInfo> orphans();
  std::uint64_t orphans_reaped() const { return orphans_reaped_; }

 private:
  struct Run {
    pid_t main = 0;  // 0: it has been reaped
    pid_t session = 0;
    std::string mark;
    std::vector<pid_t> seen;  // what descended from the main process when it was last looked at
  };
  struct Orphan {
    std::optional<RunKey> run;  // unset: a stray
    bool unclear = false;       // in the middle of execve or exit; may be anybody's, so never kept
  };
  struct Node {
    pid_t pid = 0;
    pid_t parent = 0;
  };

  void look_for_orphans();
  Orphan attribute(pid_t pid);
  Orphan find_run(pid_t pid) const;
  std::optional<RunKey> find_by_session_or_limit(pid_t pid) const;
  enum class Checks { included, apart };
  std::vector<pid_t> orphans_of(RunKey run, Checks checks);
  std::vector<pid_t> unclear_orphans();
  std::vector<Node> leftover_nodes(RunKey run, Checks checks);
  std::vector<RunKey> checks_of(RunKey run) const;
  std::vector<Node> stray_nodes();

  std::map<RunKey, Run> runs_;
  std::unordered_map<pid_t, RunKey> mains_;
  std::unordered_map<pid_t, RunKey> sessions_;
  std::unordered_map<std::string, RunKey> marks_;
  GroupHooks groups_;
  std::unordered_map<std::string, RunKey> services_;  // the present run of each, by whose group it is
  std::unordered_map<std::uint64_t, RunKey> limit_marks_;
  std::unordered_map<pid_t, Orphan> attributed_;  // until it is reaped: its number is not given away before
  // The living orphans as of the last look. A run whose main process was reaped before that look and
  // that has none of them is empty for good: nothing is left that could make one.
  std::vector<pid_t> orphans_;
  bool orphans_known_ = false;
  std::uint64_t orphans_reaped_ = 0;
};

}  // namespace arizuko::host
