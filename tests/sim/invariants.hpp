// What must be true after every step, whatever happened: design.md section 3, made precise.
//
// The checker believes nothing that the engine says of itself. From events and actions alone it keeps
// its own record of each service (Shadow): which run exists, who was told what and when, which
// conditions were answered how; and it holds the engine's notes and view against that.
#pragma once

#include <algorithm>
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

inline bool runs(State state) {
  return state == State::starting || state == State::ready || state == State::unready;
}

inline bool contains(const std::vector<ServiceId>& list, ServiceId id) {
  return std::ranges::find(list, id) != list.end();
}

inline bool contains_text(const std::vector<std::string>& list, const std::string& text) {
  return std::ranges::find(list, text) != list.end();
}

struct Shadow {
  State state = State::waiting;
  Instant since{};
  std::optional<Why> stopped_for;
  bool plan_changed_while_stopping = false;
  bool switched_off = false;

  RunNumber spawn = 0;
  bool pending = false;
  bool main = false;
  bool leftovers = false;
  bool passing_trouble = false;  // the last spawn failed for a passing reason
  Instant spawned_at{};
  Nanoseconds unobserved{};  // of its life: the host was stopped
  Instant exited_at{};
  plan::Duration within{};
  plan::Duration leftovers_timeout{};
  std::optional<ExitStatus> last_exit;
  env::Environment given;
  env::Generation given_in = 0;
  std::map<ServiceId, RunNumber> bonds;
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

/// A generation between "is taken" and its outcome, by the checker's own books.
struct Turn {
  env::Generation generation = 0;
  env::SnapshotPtr before;
  env::SnapshotPtr fresh;
  std::set<std::string> blamed;  // keys that are held back because of it
  std::set<std::string> before_unlike;
  std::set<ServiceId> serving;    // were ready when it began
  std::set<ServiceId> restarted;  // stopped for the new values, or with what is
  std::set<ServiceId> returned;   // stopped for the old ones
  bool going_back = false;
};

/// A value that a service did not bear, by the checker's own books.
struct NotBorne {
  std::optional<std::string> value;
  int times = 0;
  std::optional<Instant> retry_at;
  bool released = false;
};

/// Whose value a login was made with; the outer nullopt: there is none, or nobody knows.
struct Login {
  std::optional<std::optional<std::string>> file;
  std::optional<std::optional<std::string>> aside;
  bool is_aside = false;
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
  /// Guarded keys that an operator could accept now.
  std::vector<std::string> acceptable() const;

 private:
  void take(const Event& event);
  void take_environment(const EnvironmentChanged& event);
  void see(const Spawn& action);
  void see(const Signal& action);
  void see(const Watch& action);
  void see(const Unwatch& action);
  void see(const TaskDone& action);
  void see(const ReadSources& action);
  void see(const LoginFiles& action);
  void check_logins(ServiceId id, const env::Snapshot& snapshot);
  void see(const Remember& action);
  void see(const Note& action);
  void see(const Exit& action);
  void see_plan();
  void see_state(ServiceId id, const Note& note);
  void see_stop_signal(ServiceId id);
  void see_ready(ServiceId id);
  void see_failure(ServiceId id, State from, State to);

  // --- step_invariants.cpp: what is true after a step, whichever it was
  void check_service(ServiceId id);
  void check_wait(ServiceId id);
  void check_time(ServiceId id);

  // --- rotation_invariants.cpp
  void take_accept(const Accept& event);
  void take_retry(const Retry& event);
  void blame(ServiceId culprit);
  std::set<std::string> changed(const env::Snapshot& before, const env::Snapshot& after) const;
  std::set<std::string> of_interest(ServiceId id, const std::set<std::string>& changed) const;
  std::optional<HeldWhy> held_for(const std::string& key, const EnvironmentChanged& offer) const;
  int strength(const std::string& source) const;
  bool anybody_takes(const std::string& key) const;
  void see_generation(const Note& note);
  void see_taken(env::Generation generation);
  void see_refused(env::Generation generation);
  void see_superseded(env::Generation generation);
  void see_way_back(const Note& note);
  void see_applied(env::Generation generation);
  void see_rolled_back(env::Generation generation, bool in_part);
  void see_stop_for_values(ServiceId id, const Note& note);
  void close(env::Generation generation);
  void check_guarded_start(ServiceId id);
  void check_braked(ServiceId id);
  env::SnapshotPtr without_held(const EnvironmentChanged& offer);
  bool refusable(const env::Snapshot& fresh) const;
  bool seen(const std::string& key) const;
  bool scope_has(ServiceId id, const std::string& key) const;
  bool accepted(const std::string& key, const env::Snapshot& snapshot) const;
  std::vector<std::string> unaccepted(ServiceId id) const;
  bool has_old_values(ServiceId id) const;
  bool is_to_restart(ServiceId id) const;
  [[noreturn]] void wrong(env::Generation generation, const std::string& sentence) const;
  void check_bonds(ServiceId id);
  void check_live(ServiceId id);
  void check_pod();

  const plan::Service& service(ServiceId id) const { return plan_->services[id]; }
  bool part(ServiceId id) const;
  bool serving(ServiceId id) const;
  bool gate_is_down(ServiceId id) const;
  bool moves(ServiceId id) const;
  bool comes_soon(ServiceId id) const;
  bool something_moves_before(ServiceId id) const;
  std::vector<ServiceId> reached(ServiceId id, bool bound_only) const;
  bool no_time_left() const;
  [[noreturn]] void broken(ServiceId id, const std::string& sentence) const;

  PlanPtr plan_;
  const View* view_ = nullptr;
  std::vector<Shadow> shadows_;
  env::SnapshotPtr taken_;  // in force

  // Generations.
  std::map<env::Generation, EnvironmentChanged> open_;  // offered, and without an outcome
  env::SnapshotPtr last_offer_;
  std::optional<Turn> turn_;
  std::set<std::string> unlike_last_run_;
  std::map<std::string, std::optional<std::string>> accepted_;
  std::map<std::string, std::optional<std::string>> remembered_;
  std::set<std::string> seen_;  // guarded keys that a service was started with
  std::map<ServiceId, std::deque<Instant>> rotated_;
  std::map<std::string, HeldWhy> held_;  // by the last generation that had its turn
  std::map<std::string, NotBorne> not_borne_;
  std::map<std::pair<ServiceId, std::string>, Login> logins_;
  bool operator_waits_ = false;
  bool rest_is_due_ = false;     // in this step
  bool asked_ = false;           // the last generation taken was asked for by an operator
  env::SnapshotPtr held_offer_;  // the last one that had its turn, with the guarded values that were left out

  Instant now_{};
  std::optional<Instant> deadline_;  // the engine's, before the step
  std::uint64_t seq_ = 0;
  std::optional<Instant> stopping_since_;
  std::uint32_t stop_requests_ = 0;
  bool opened_ = false;
  bool ended_ = false;

  // Of this step only.
  const Event* event_ = nullptr;
  PlanPtr newest_plan_;
  bool plan_changed_in_step_ = false;
  std::vector<ServiceId> to_forgive_;
  std::optional<ServiceId> died_live_;
};

}  // namespace arizuko::sim
