// Decides: what to start, wait for, restart, stop, give up. Events in, actions out.
//
// The engine is a value: copy it to explore a future. It holds no clock, does no I/O and starts no
// thread; the same events at the same instants give the same actions, always. What it promises:
//
//   - a service is started only when everything it comes after is ready or done (what is not part
//     of this instance, because it is disabled, is left out);
//   - there are never two main processes of a service, nor leftovers of its last run, when a run is
//     started;
//   - a run sees one complete snapshot of one generation;
//   - every wait has a deadline, or its state names what it waits for;
//   - while stopping, nothing is started, and Exit comes within pod.grace of the first StopRequested
//     (twice the time of a last SIGKILL reserved);
//   - every restart, refusal and exit is a Note with a cause;
//   - an event costs a bounded number of steps, and no service is restarted in a loop without a pause.
//
// The life of a service (docs/reference/engine.md has the whole table):
//
//       off <-> waiting <-> blocked
//                  | everything it comes after is ready or done
//                  v
//              starting --all conditions hold--> ready <--> unready
//                  |  not ready within its time    |  main process ended, liveness failed,
//                  v                               v  told to stop or restart
//               stopping (main process, then leftovers)
//                  |
//                  +--> waiting, backoff, failed, off, done
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/action.hpp"
#include "arizuko/engine/event.hpp"
#include "arizuko/engine/view.hpp"

namespace arizuko::engine {

/// What one event may cost. Each consequence ends in a state that only a new fact leaves: far more rounds
/// than these mean that two rules chase each other, a fault of arizuko-init. The run then ends with code 70
/// and says so, which is better than a PID 1 that does nothing else any more.
struct Bounds {
  std::size_t rounds_a_service = 64;
};

struct Machine;

class Engine {
 public:
  explicit Engine(plan::Plan plan);
  explicit Engine(PlanPtr plan, Bounds bounds = {});
  Engine(const Engine&);
  Engine& operator=(const Engine&);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// Takes one event and appends what is to be done. `now` never goes back; an earlier one than the
  /// last counts as the last. After Exit every event is ignored.
  void handle(const Event& event, Instant now, std::vector<Action>& actions);

  /// When to send Tick if nothing else comes; nullopt: no time-out is running.
  std::optional<Instant> deadline() const;

  const View& view() const;
  const PlanPtr& plan() const;
  /// Why this plan would not be taken: services would see another value of a guarded key. Empty: it would.
  std::string why_not(const plan::Plan& fresh) const;
  /// The values in force; nullptr before the first ones. Secrets: for who hands them to children.
  const env::SnapshotPtr& values() const;

 private:
  std::unique_ptr<Machine> machine_;
};

}  // namespace arizuko::engine
