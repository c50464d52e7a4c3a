#include "arizuko/host/process/process_table.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <unordered_set>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc_fs.hpp"

namespace arizuko::host {
namespace {

/// A tree that forks while it is being signalled is walked again, this often at most in one call.
constexpr int signal_rounds = 3;
/// How often a process in the middle of execve is asked again, 0.1 ms apart.
constexpr int longest_wait_turns = 10;

bool ends_a_process(int signal_number) {
  return signal_number == SIGTERM || signal_number == SIGKILL || signal_number == SIGINT ||
         signal_number == SIGQUIT;
}

bool signal_own_child(pid_t pid, int signal_number) {
  if (::kill(pid, signal_number) != 0) return false;
  // A stopped process takes nothing but SIGKILL until it is continued: signal(7).
  if (ends_a_process(signal_number)) ::kill(pid, SIGCONT);
  return true;
}

/// The number of a process that is not our child may be given away at any time. So: a handle first,
/// then the look whether it is still the one that was found, then the signal through the handle.
bool signal_descendant(pid_t pid, pid_t parent, int signal_number) {
  const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  const int handle_error = errno;
  const auto stat = read_stat(pid);
  const bool same = stat && stat->alive() && (stat->parent == parent || stat->parent == ::getpid());
  bool sent = false;
  if (!same) {
    sent = false;
  } else if (handle < 0) {  // no pidfd (before Linux 5.3, or seccomp): the look was microseconds ago
    sent = handle_error != ESRCH && signal_own_child(pid, signal_number);
  } else {
    sent = ::syscall(SYS_pidfd_send_signal, handle, signal_number, nullptr, 0) == 0;
    if (sent && ends_a_process(signal_number)) ::syscall(SYS_pidfd_send_signal, handle, SIGCONT, nullptr, 0);
  }
  if (handle >= 0) ::close(handle);
  return sent;
}

/// Signals all that `find` finds, and what they made meanwhile.
template <typename Find>
int signal_tree(int signal_number, Find find) {
  std::unordered_set<pid_t> signalled;
  int count = 0;
  for (int round = 0; round < signal_rounds; ++round) {
    bool news = false;
    for (const auto& node : find()) {
      if (!signalled.insert(node.pid).second) continue;
      news = true;
      const bool sent = node.parent == ::getpid() ? signal_own_child(node.pid, signal_number)
                                                  : signal_descendant(node.pid, node.parent, signal_number);
      count += sent ? 1 : 0;
    }
    if (!news) break;
  }
  return count;
}

/// "gated/3" -> "gated"
std::string service_in(const std::string& mark) { return mark.substr(0, mark.find('/')); }

}  // namespace

ProcessTable::ProcessTable() = default;

bool ProcessTable::become_reaper() {
  return ::getpid() == 1 || ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

void ProcessTable::add(RunKey run, pid_t main, std::string mark) {
  forget(run);
  attributed_.erase(main);
  mains_[main] = run;
  sessions_[main] = run;  // spawn() makes it the leader of a session of its own
  limit_marks_[limit_mark(mark)] = run;
  marks_[mark] = run;
  if (groups_ && !run.is_check()) services_[service_in(mark)] = run;
  runs_[run] = Run{main, main, std::move(mark), {}};
  std::erase(orphans_, main);
}

void ProcessTable::forget(RunKey run) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  const Run& gone = found->second;
  const auto drop = [run](auto& index, const auto& key) {
    if (const auto at = index.find(key); at != index.end() && at->second == run) index.erase(at);
  };
  drop(mains_, gone.main);
  drop(sessions_, gone.session);
  drop(limit_marks_, limit_mark(gone.mark));
  drop(marks_, gone.mark);
  if (groups_) drop(services_, service_in(gone.mark));
  std::erase_if(attributed_, [run](const auto& entry) { return entry.second.run == run; });
  runs_.erase(found);
}

std::vector<Reaped> ProcessTable::reap(std::size_t most) {
  std::vector<Reaped> ended;
  orphans_known_ = false;
  while (ended.size() < most) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    Reaped one{pid, status, std::nullopt};
    if (const auto main = mains_.find(pid); main != mains_.end()) {
      one.main = main->second;
      runs_[main->second].main = 0;
      mains_.erase(main);
    } else {
      ++orphans_reaped_;
      attributed_.erase(pid);
    }
    ended.push_back(one);
  }
  return ended;
}

/// Lists our living children that are no main process. An orphan that dies between the list and the
/// look at its state has handed its own children to us, behind the end of the list that was read: so
/// the list is read again until no further one has died. Where they die faster than that, the last
/// ones count as living: the reaper's next turn looks again.
void ProcessTable::look_for_orphans() {
  constexpr int most_rounds = 16;
  std::unordered_set<pid_t> dead;
  bool settled = false;
  for (int round = 1; !settled; ++round) {
    settled = true;
    orphans_.clear();
    for (const pid_t pid : own_children(children_by())) {
      if (mains_.contains(pid) || dead.contains(pid)) continue;
      if (const auto stat = read_stat(pid); (stat && stat->alive()) || round == most_rounds) {
        orphans_.push_back(pid);
      } else {
        dead.insert(pid);
        settled = false;
      }
    }
  }
  orphans_known_ = true;
}

std::optional<RunKey> ProcessTable::find_by_session_or_limit(pid_t pid) const {
  if (const pid_t session = ::getsid(pid); session > 0) {
    if (const auto found = sessions_.find(session); found != sessions_.end()) return found->second;
  }
  if (const auto limit = soft_limit(pid, RLIMIT_RTTIME)) {
    if (const auto found = limit_marks_.find(*limit); found != limit_marks_.end()) return found->second;
  }
  return std::nullopt;
}

ProcessTable::Orphan ProcessTable::find_run(pid_t pid) const {
  if (const auto service = groups_ ? groups_.service_of(pid) : std::nullopt) {
    if (const auto found = services_.find(*service); found != services_.end()) {
      // A check runs in the group of its service: what it was born with tells it from that.
      const auto born = find_by_session_or_limit(pid);
      return {born && born->run() == found->second ? born : std::optional(found->second)};
    }
  }
  if (const auto born = find_by_session_or_limit(pid)) return {born};
  EnvironmentLook mark = read_environment(pid, mark_variable);
  for (int again = 0; mark.in_between && again < longest_wait_turns; ++again) {
    ::usleep(100);
    mark = read_environment(pid, mark_variable);
  }
  if (mark.value) {
    if (const auto found = marks_.find(*mark.value); found != marks_.end()) return {found->second};
  }
  // Its environment is overwritten or may not be read. A number given away since the last look at that
  // run would be attributed wrongly here; it would be a process of ours all the same.
  for (const auto& [key, run] : runs_) {
    if (std::ranges::find(run.seen, pid) != run.seen.end()) return {key};
  }
  return {.run = std::nullopt, .unclear = mark.in_between};
}

ProcessTable::Orphan ProcessTable::attribute(pid_t pid) {
  const auto found = attributed_.find(pid);
  if (found != attributed_.end()) return found->second;
  const Orphan orphan = find_run(pid);
  if (!orphan.unclear) attributed_[pid] = orphan;
  return orphan;
}

std::vector<pid_t> ProcessTable::orphans_of(RunKey run, Checks checks) {
  std::vector<pid_t> mine;
  for (const pid_t pid : orphans_) {
    const std::optional<RunKey> owner = attribute(pid).run;
    if (owner && (owner == run || (checks == Checks::included && owner->run() == run))) mine.push_back(pid);
  }
  return mine;
}

/// Those whose command still runs.
std::vector<RunKey> ProcessTable::checks_of(RunKey run) const {
  std::vector<RunKey> found;
  for (auto at = runs_.upper_bound(run); at != runs_.end() && at->first.run() == run; ++at) {
    if (at->second.main != 0) found.push_back(at->first);
  }
  return found;
}

std::vector<pid_t> ProcessTable::unclear_orphans() {
  std::vector<pid_t> unclear;
  for (const pid_t pid : orphans_) {
    if (attribute(pid).unclear) unclear.push_back(pid);
  }
  return unclear;
}

std::vector<ProcessTable::Node> ProcessTable::leftover_nodes(RunKey run, Checks checks) {
  const auto found = runs_.find(run);
  const bool main_lives = found != runs_.end() && found->second.main != 0;
  const bool no_check = run.is_check() || checks == Checks::apart || checks_of(run).empty();
  if (!main_lives && no_check && orphans_known_ && orphans_of(run, checks).empty() &&
      unclear_orphans().empty())
    return {};

  look_for_orphans();
  std::vector<pid_t> roots = orphans_of(run, checks);
  if (!no_check) {
    for (const RunKey each : checks_of(run)) roots.push_back(runs_[each].main);
  }
  std::vector<Node> nodes;
  for (const pid_t pid : roots) nodes.push_back({pid, ::getpid()});
  for (const auto& [pid, parent] : descendants(roots, children_by())) nodes.push_back({pid, parent});
  if (main_lives) {
    found->second.seen.clear();
    const pid_t main[] = {found->second.main};
    for (const auto& [pid, parent] : descendants(main, children_by())) {
      found->second.seen.push_back(pid);
      // Reparented to us between the two looks: it is among the orphans already.
      if (std::ranges::find(nodes, pid, &Node::pid) == nodes.end()) nodes.push_back({pid, parent});
    }
  }
  return nodes;
}

std::vector<ProcessTable::Node> ProcessTable::stray_nodes() {
  look_for_orphans();
  std::vector<pid_t> roots;
  for (const pid_t pid : orphans_) {
    const Orphan orphan = attribute(pid);
    if (!orphan.run || !runs_.contains(*orphan.run)) roots.push_back(pid);
  }
  std::vector<Node> nodes;
  for (const pid_t pid : roots) nodes.push_back({pid, ::getpid()});
  for (const auto& [pid, parent] : descendants(roots, children_by())) nodes.push_back({pid, parent});
  return nodes;
}

std::vector<ProcessInfo> ProcessTable::leftovers(RunKey run) {
  std::vector<ProcessInfo> living;
  for (const Node& node : leftover_nodes(run, Checks::included)) {
    if (auto stat = read_stat(node.pid); stat && stat->alive())
      living.push_back({node.pid, std::move(stat->name)});
  }
  // Rather wait for a moment than start the next run beside a process of the last one.
  const auto found = runs_.find(run);
  if (!living.empty() || found == runs_.end() || found->second.main != 0) return living;
  for (const pid_t pid : unclear_orphans()) {
    if (auto stat = read_stat(pid); stat && stat->alive()) living.push_back({pid, std::move(stat->name)});
  }
  return living;
}

std::vector<pid_t> ProcessTable::members(RunKey run) {
  std::vector<pid_t> pids;
  if (const auto found = runs_.find(run); found != runs_.end() && found->second.main != 0) {
    pids.push_back(found->second.main);
  }
  for (const Node& node : leftover_nodes(run, Checks::apart)) pids.push_back(node.pid);
  return pids;
}

std::optional<RunKey> ProcessTable::owner_of(pid_t pid) {
  constexpr int deepest = 1000;
  for (int level = 0; level < deepest && pid > 1; ++level) {
    if (const auto main = mains_.find(pid); main != mains_.end()) return main->second;
    const auto stat = read_stat(pid);
    if (!stat) return std::nullopt;
    if (stat->parent == ::getpid()) {
      // A zombie has no environment any more; what is found out about it is not kept.
      return stat->alive() || attributed_.contains(pid) ? attribute(pid).run : find_run(pid).run;
    }
    pid = stat->parent;
  }
  return std::nullopt;
}

int ProcessTable::signal_main(RunKey run, int signal_number) {
  const auto found = runs_.find(run);
  if (found == runs_.end() || found->second.main == 0) return 0;
  return signal_own_child(found->second.main, signal_number) ? 1 : 0;
}

int ProcessTable::signal_leftovers(RunKey run, int signal_number) {
  // In one stroke, so that nothing escapes by forking. What has left its group is found by the walk.
  const auto found = runs_.find(run);
  const bool whole_group = !run.is_check() && found != runs_.end() && found->second.main == 0;
  if (groups_ && signal_number == SIGKILL && whole_group) {
    groups_.kill(service_in(found->second.mark));
  }
  return signal_tree(signal_number, [&] {
    orphans_known_ = false;
    return leftover_nodes(run, Checks::included);
  });
}

int ProcessTable::kill_strays() {
  return signal_tree(SIGKILL, [&] { return stray_nodes(); });
}

std::vector<ProcessInfo> ProcessTable::orphans() {
  look_for_orphans();
  std::vector<ProcessInfo> living;
  for (const pid_t pid : orphans_) {
    if (auto stat = read_stat(pid); stat && stat->alive()) living.push_back({pid, std::move(stat->name)});
  }
  return living;
}

}  // namespace arizuko::host
