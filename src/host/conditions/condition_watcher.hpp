// Looks whether conditions hold and reports each change, once.
//
// While a condition does not hold yet it is looked at often (every 3 ms at first, slower the longer it
// takes, at most once a second), so that a gate opens within milliseconds; once it holds, every
// `Condition::every`. A look is bounded by `Condition::timeout`; at most one look a condition is under
// way. Nothing is watched, nothing wakes up.
//
// http, tcp and socket conditions with Listener::own hold only when the listening socket belongs to a
// process of the run itself, or of the service that `of` names; otherwise the detail says who holds it.
//
// A look may also end with "cannot tell": whose the socket is cannot be seen, the service that is asked about
// this one does not serve, we have no descriptor left. That is not "no". Where the socket cannot be seen the
// answer counts; in all other cases nothing changes, but for a readiness condition, which does not hold
// before it was seen to hold. It is said once.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "arizuko/env/foreign.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "arizuko/plan/plan.hpp"
#include "file_identity.hpp"
#include "judgement.hpp"

namespace arizuko::host {

struct WatchKey {
  RunKey run;
  std::uint32_t watch = 0;  // the engine's number of the condition within its service
  auto operator<=>(const WatchKey&) const = default;
};

/// Why the command of an exec condition could not be started.
struct NotStarted {
  std::string why;
  bool passing = false;  // the machine's trouble, which says nothing of the condition
};

/// What the watcher needs to know and to do, given by its owner; everything is called on the loop.
struct WatcherHooks {
  /// A condition began or ceased to hold. Called for the first look too, holding or not. `detail` is
  /// a short phrase for people, empty while it holds; never called from inside a call to the watcher:
  /// "connection refused", "status 503", ":8080 is held by timed (pid 7)". It may quote whoever answered.
  std::function<void(WatchKey, bool holds, env::Foreign detail)> report;
  /// The living processes of a run (main first).
  std::function<std::vector<pid_t>(RunKey)> members;
  /// Starts the command of an exec condition with the run's environment, output thrown away. Its end comes
  /// back through exec_ended.
  std::function<std::expected<pid_t, NotStarted>(RunKey, const plan::ExecCheck&)> start_exec;
  /// Kills an exec condition's command that took too long, with everything that it has started.
  std::function<void(pid_t)> kill_exec;
  /// The service that a process belongs to, to name who holds a port; empty: none of ours. May be unset.
  std::function<std::string(pid_t)> service_of = {};
  /// The present run of the service called so, if it is ready. May be unset: then nobody is.
  std::function<std::optional<RunKey>(std::string_view)> ready_run = {};
  /// What the run's processes see, for the holes of an http condition. May be unset: nothing.
  std::function<env::Environment(RunKey)> environment = {};
  /// What people should know about a look that could not tell. May be unset.
  std::function<void(RunKey, std::string)> warn = {};
};

class ConditionWatcher {
 public:
  ConditionWatcher(boost::asio::io_context& io, WatcherHooks hooks);
  ~ConditionWatcher();
  ConditionWatcher(const ConditionWatcher&) = delete;
  ConditionWatcher& operator=(const ConditionWatcher&) = delete;

  /// `before`: the file of a file condition as it was before the run began; that one does not count.
  void watch(WatchKey key, const plan::Condition& condition, Purpose purpose = Purpose::readiness,
             const std::optional<FileIdentity>& before = std::nullopt);
  void unwatch(WatchKey key);
  void unwatch_run(RunKey run);

  /// A line of a run's log: for log conditions. Must be cheap when the run has none: see wants_log.
  void log_line(RunKey run, std::string_view text);
  bool wants_log(RunKey run) const;
  /// READY=1 arrived from a process of this run.
  void notified(RunKey run);
  /// A command started by start_exec has ended. False when `pid` is none of them.
  bool exec_ended(pid_t pid, int wait_status);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what is under way on the loop holds it weakly
};

}  // namespace arizuko::host
