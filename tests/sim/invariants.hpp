// What must be true after every step, whatever happened: design.md section 3, made precise.
//
// The checker believes nothing that the engine says of itself. From events and actions alone it keeps
// its own record of each service (Shadow): which run exists, who was told what and when, which
// conditions were answered how; and it holds the engine's notes and view against that.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "arizuko/engine/engine.hpp"
#include "arizuko/env/scope.hpp"

namespace arizuko::sim {

using namespace engine;  // NOLINT: a test about nothing else

/// An invariant does not hold; what() is the sentence that says which.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Shadow {
  State state = State::waiting;
  Instant since{};
  std::string stop_cause;
  bool plan_changed_while_stopping = false;
  bool switched_off = false;

  SpawnNumber spawn = 0;
  bool pending = false;
  bool main = false;
  bool leftovers = false;
  bool passing_trouble = false;  // the last spawn failed for a passing reason
  Instant spawned_at{};
  Instant exited_at{};
  plan::Duration within{};
  plan::Duration leftovers_timeout{};
  std::optional<ExitStatus> last_exit;
  env::Environment given;
  std::map<ServiceId, SpawnNumber> bonds;
  std::set<std::uint32_t> watching;
  std::map<std::uint32_t, bool> answers;
  std::set<std::uint32_t> unwatched;
  std::map<std::uint32_t, Instant> never_live_since;  // a liveness condition that has only ever failed
  bool task_done_said = false;

  std::optional<Instant> told;  // when its main process got the stop signal
  plan::Duration timeout{};
  bool main_killed = false;
  bool leftovers_killed = false;
  std::deque<Instant> backoffs;  // failures that led to a back-off

  bool alive() const { return pending || main || leftovers; }
};

class Invariants {
 public:
  explicit Invariants(const Engine& engine);

  /// Before the engine takes the event.
  void before(const Engine& engine, const Event& event);
  /// After it; throws Broken.
  void after(const Engine& engine, const Event& event, Instant now, const std::vector<Action>& actions);
  /// The world is quiet, all faults are over, every value is set and nothing is scheduled any more.
  void at_rest(const Engine& engine) const;

  const Shadow& shadow(ServiceId id) const { return shadows_[id]; }
  bool ended() const { return ended_; }

 private:
  void take(const Event& event);
  void take_environment(const EnvironmentChanged& event, const Engine& engine);
  void see(const Spawn& action);
  void see(const Signal& action);
  void see(const Watch& action);
  void see(const Unwatch& action);
  void see(const TaskDone& action);
  void see(const Note& action);
  void see(const Exit& action);
  void see_state(ServiceId id, const Note& note);
  void see_stop_signal(ServiceId id);
  void see_ready(ServiceId id);
  void see_failure(ServiceId id, State from, State to);
  void check_service(ServiceId id);
  void check_wait(ServiceId id);
  void check_time(ServiceId id);
  void check_values(ServiceId id);
  void check_bonds(ServiceId id);
  void check_live(ServiceId id);
  void check_pod();

  const plan::Service& service(ServiceId id) const { return plan_->services[id]; }
  bool part(ServiceId id) const;
  bool serving(ServiceId id) const;
  bool gate_is_down(ServiceId id) const;
  bool had_its_chance(ServiceId id) const;
  std::vector<ServiceId> reached(ServiceId id, bool bound_only) const;
  bool no_time_left() const;
  [[noreturn]] void broken(ServiceId id, const std::string& sentence) const;

  PlanPtr plan_;
  const View* view_ = nullptr;
  std::vector<Shadow> shadows_;
  std::map<env::Generation, env::SnapshotPtr> offered_;
  env::SnapshotPtr taken_;
  Instant now_{};
  std::uint64_t seq_ = 0;
  std::optional<Instant> stopping_since_;
  std::uint32_t stop_requests_ = 0;
  bool opened_ = false;
  bool ended_ = false;

  // Of this step only.
  const Event* event_ = nullptr;
  std::set<ServiceId> may_stop_;  // new values: these are affected
  std::vector<ServiceId> to_forgive_;
  std::optional<ServiceId> died_live_;
};

}  // namespace arizuko::sim
