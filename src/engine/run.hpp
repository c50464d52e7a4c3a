// One service as the engine knows it: the phase of its run, the facts of its processes, what is wanted of it.
// Rules read and write nothing else; what people see of it (ServiceView) is made of it by shown.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arizuko/engine/cause.hpp"
#include "arizuko/engine/event.hpp"
#include "arizuko/engine/state.hpp"
#include "arizuko/engine/view.hpp"
#include "restart_policy.hpp"

namespace arizuko::engine {

/// Where its run stands, and so what follows when the phase has lasted too long (Run::due).
enum class Phase : std::uint8_t {
  none,       // no run; due: the end of its back-off
  looking,    // a task: whether it is done already
  spawning,   // Spawn was sent, its answer has not come
  settling,   // its main process lives; a service is not ready yet, a task has not ended
  running,    // it is ready, or was; due: a liveness condition that has not held yet counts
  verifying,  // a task ended well: whether it left what it should
  rereading,  // a task is done: the sources are read anew
  // It is being stopped, or cleaned up after its main process.
  queued,           // services that depend on it have to go first
  told,             // its main process got the stop signal
  killed,           // SIGKILL was sent to its main process
  leftovers,        // the main process is gone; the rest may leave by itself
  leftovers_killed  // SIGKILL was sent to the rest
};

/// What follows when nothing of a run is left.
enum class Next : std::uint8_t {
  recover,      // a failure, or an end unasked for: the restart policy decides
  start_again,  // a planned restart
  verify,       // a task ended well: see whether it did what it should
  stay_off,     // the operator switched it off, or it is not part of the instance any more
};

/// What the operator, the plan and the values in force make of it.
struct Wishes {
  bool switched_off = false;  // by the operator
  bool part = true;           // enabled, as far as plan and values go
  std::string not_part_why{};
  std::vector<std::string> missing{};
  std::vector<std::string> unaccepted{};  // guarded keys that wait for an operator
  std::vector<std::string> unusable{};    // keys that it takes, and whose values cannot be used
};

/// Of its present run, or the last one.
struct Processes {
  bool spawn_pending = false;  // Spawn was sent, its answer has not come: there may be one
  bool main_alive = false;
  bool leftovers = false;
  std::string leftovers_text{};
  std::optional<Pid> pid{};  // of the main process, while it lives
  Instant spawned_at{};
  std::optional<ExitStatus> last_exit{};
  std::string last_words{};  // of a main process that failed by itself
  std::map<std::string, std::uint64_t> exits{};

  bool any() const { return spawn_pending || main_alive || leftovers; }
};

/// What its present run, or the last one, was started with.
struct Given {
  env::SnapshotPtr values{};  // or told of since
  PlanPtr defined_by{};
  std::map<ServiceId, RunNumber> bonds{};  // the runs of bound_to
  Cause because{.why = Why::dependencies_ready};
  env::Generation generation = 0;  // at its start
  std::optional<Instant> values_since{};
  bool outdated = false;  // with the values in force its environment would be another
};

struct Answer {
  ConditionView::Is is = ConditionView::Is::unknown;
  std::string detail{};  // why not
};

/// The conditions of its present run, or the last one, by watch number.
struct Watches {
  std::vector<Answer> answers{};
  std::set<std::uint32_t> awaited{};  // whose answers are taken; any other comes too late

  /// All of [first, last) hold, or were dropped.
  bool hold(std::uint32_t first, std::uint32_t last) const;
  bool open(std::uint32_t watch) const;
  void forget(std::uint32_t size) { answers.assign(size, {}); }
};

struct StopOrder {
  Next next = Next::recover;
  bool ordered = false;        // it waits for what depends on it
  bool nothing_below = false;  // while the pod stops: what depends on it, near and far, has gone
  Instant told_at{};           // when its main process got the stop signal
};

struct Restarts {
  Cause failure{.why = Why::ended};    // why the policy is asked, when `next` is recover
  std::optional<Cause> start_cause{};  // why the next run will be started
  FailureRecord record{};
  std::uint32_t counted = 0;                // failures within the policy's window, when it was last asked
  std::uint32_t spawn_trouble = 0;          // spawns in a row that failed
  Nanoseconds spawn_pause{};                // the least pause after them
  bool ever_ready = false;                  // or done
  std::optional<Instant> ready_at{};        // of the present run
  std::optional<Nanoseconds> start_time{};  // spawn to ready, last time
};

/// For whom or what it waits in its state.
struct Waits {
  std::vector<std::string> names{};
  std::vector<ServiceId> services{};  // of those, the services
};

struct Run {
  State state = State::waiting;
  Instant since{};
  Cause cause{};
  Waits waits{.names = {"the values of the environment"}};

  RunNumber number = 0;
  Phase phase = Phase::none;
  std::optional<Instant> due{};  // of the phase

  Wishes wishes{};
  Processes processes{};
  Given given{};
  Watches watches{};
  StopOrder stop{};
  Restarts restarts{};
};

}  // namespace arizuko::engine
