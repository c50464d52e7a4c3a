// The simulated world: processes, conditions, an operator, a kubelet that changes values, and a clock.
//
// All of it follows from one seed. Time is virtual: it leaps to the next happening. A run has three
// parts: trouble (every fault is allowed), rest (no new faults; everything must come up), the end.
#pragma once

#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "arizuko/engine/engine.hpp"
#include "generate.hpp"
#include "invariants.hpp"
#include "random.hpp"

namespace arizuko::sim {

/// One service's share of the world: what is really so, known to the engine or not.
struct Actor {
  RunNumber run = 0;
  bool main = false;       // the main process really lives
  bool leftovers = false;  // something else of the tree really lives
  bool ignores_term = false;
  bool sleeps_in_kernel = false;  // does not even die of SIGKILL, for a while
  Instant delivered{};            // no event of this service comes before this: the kernel keeps their order
  Instant answered{};             // nor an answer of its conditions, among themselves
  std::map<std::uint32_t, bool> conditions;  // truth of what is watched
  bool created = false;
  bool works = true;  // of a task: it leaves what it should
};

class World {
 public:
  enum class Record { nothing, history };
  World(std::uint64_t seed, Record record);

  /// Plays the whole run; throws Broken.
  void run();

  const std::vector<std::string>& history() const { return history_; }
  std::uint64_t steps() const { return steps_; }

 private:
  // The clock and what is to happen.
  struct Happening {
    Instant at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator>(const Happening& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  void in(Nanoseconds pause, std::function<void()> what);
  bool next();  // false: nothing is scheduled and no timer runs
  void deliver(const Event& event);
  void compare_with_twin(const Event& event, Instant now, Engine twin, const std::vector<Action>& actions);

  // What the engine asks for.
  void carry_out(const Action& action);
  void spawn(const Spawn& action);
  void signal(const Signal& action);
  void watch(const Watch& action);
  void main_starts(ServiceId id, RunNumber run);
  void main_ends(ServiceId id, RunNumber run, ExitStatus status);
  void leftovers_end(ServiceId id, RunNumber run);
  void task_ends(ServiceId id, RunNumber run);
  void flap(ServiceId id, RunNumber run, std::uint32_t watch, std::uint32_t times);
  void tell(ServiceId id, const Event& event);  // after a latency, in order
  void tell_condition(ServiceId id, RunNumber run, std::uint32_t watch, bool holds);

  // What comes from outside.
  void schedule_trouble();
  void something_happens();
  void operator_acts();
  void late_event();
  enum class By { change, again, operator_ };
  void new_values(env::SnapshotPtr snapshot, By by = By::change);
  void accept_something();
  void retry_something();
  std::vector<std::string> unlike_last_run(const env::Snapshot& snapshot) const;
  bool is_poisoned(const Spawn& action) const;
  void calm_down();
  void end();

  Actor& actor(ServiceId id);
  const plan::Service& service(ServiceId id) const { return engine_.plan()->services[id]; }
  Random random_;
  Record record_;
  plan::Plan offered_;  // the last plan that was given to the engine
  Engine engine_;
  Invariants invariants_;
  Instant now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_of_part_ = 0;
  bool trouble_ = true;
  bool prompt_ticks_ = true;
  Pid next_pid_ = 100;
  env::Generation generation_ = 0;
  env::SnapshotPtr values_;
  std::map<std::string, std::optional<std::string>> remembered_;  // guarded values, over the runs
  std::map<ServiceId, Actor> actors_;
  std::priority_queue<Happening, std::vector<Happening>, std::greater<>> happenings_;
  std::vector<std::string> history_;
};

}  // namespace arizuko::sim
