// The inside of the engine: what it remembers of each service, and the rules over it.
//
// One event changes facts; then every service that the change may concern is considered again, in
// start order, until nothing follows any more (settle). Each file of this folder holds one matter:
//
//   events.cpp     what an event changes
//   starting.cpp   when a service may start, and when it is ready
//   stopping.cpp   how one is stopped: main process, leftovers, in which order
//   recovery.cpp   what follows a failure: back-off, giving up
//   pod.cpp        the pod as a whole: opened, ready, the end
//   values.cpp     what the values in force mean for each service
//   rotation.cpp   what becomes of a generation of values
//   turns.cpp      one service after the other, and the way back
//   held.cpp       values that are held back, key by key
//   guarded.cpp    keys whose values an operator has to accept: what people are told
//   plan_change.cpp   a new plan
//   record.cpp     the view, the history, the timers
//
// Machines of their own, each with a header and a test: failed_values, guarded_keys, logins, restart_policy,
// storm_brake.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arizuko/engine/engine.hpp"
#include "dependencies.hpp"
#include "failed_values.hpp"
#include "guarded_keys.hpp"
#include "logins.hpp"
#include "restart_policy.hpp"
#include "storm_brake.hpp"
#include "values_in_force.hpp"

namespace arizuko::engine {

inline constexpr int sigkill = 9;  // signal(7), every architecture of Linux

/// What a service that is being stopped waits for.
enum class StopPhase {
  none,
  queued,           // services that depend on it have to go first
  main,             // its main process was told
  main_killed,      // SIGKILL was sent to its main process
  leftovers,        // the main process is gone; the rest may leave by itself
  leftovers_killed  // SIGKILL was sent to the rest
};

/// What follows when nothing of a run is left.
enum class Next {
  recover,      // a failure, or an end unasked for: the restart policy decides
  start_again,  // a planned restart
  verify,       // a task ended well: see whether it did what it should
  stay_off,     // the operator switched it off, or it is not part of the instance any more
};

struct Runtime {
  Cause cause;  // why it is in its state

  // Wishes and values.
  bool switched_off = false;  // by the operator
  bool part = true;           // enabled, as far as plan and values go
  std::string not_part_why;
  std::vector<std::string> missing;
  std::vector<std::string> unaccepted;  // guarded keys that wait for an operator
  std::vector<std::string> unusable;    // keys that it takes, and whose values cannot be used

  // The present run, or the last one.
  RunNumber number = 0;
  bool spawn_pending = false;  // Spawn was sent, its answer has not come
  bool main_alive = false;
  bool leftovers = false;
  std::string leftovers_text;
  env::SnapshotPtr values;                 // what it was started with
  std::map<ServiceId, RunNumber> bonds;    // the runs of bound_to that it was started against
  PlanPtr defined_by;                      // the plan it was started by
  std::vector<ConditionView::Is> watched;  // by watch number
  std::set<std::uint32_t> watching;        // whose answers are awaited; any other comes too late
  Instant spawned_at{};
  std::optional<Instant> start_deadline;
  std::optional<Instant> live_deadline;  // a liveness condition has not held yet
  bool checking = false;                 // a task: it is looked whether it is done already
  bool awaiting_values = false;          // a task: done, the sources are being read anew
  bool ever_ready = false;
  Cause started_because;  // the present run was started

  // Stopping.
  StopPhase phase = StopPhase::none;
  std::optional<Instant> phase_deadline;
  Instant told_at{};  // when its main process got the stop signal
  Next next = Next::recover;
  bool ordered = false;              // it waits for what depends on it
  bool nothing_below = false;        // while the pod stops: what depends on it, near and far, has gone
  Cause failure{.why = Why::ended};  // why the policy is asked, when `next` is recover
  std::string last_words;            // of a main process that failed by itself
  std::optional<Cause> start_cause;  // why the next run will be started

  // Restarting.
  FailureRecord failures;
  std::uint32_t spawn_trouble = 0;  // spawns in a row that failed
  Nanoseconds spawn_pause{};        // the least pause after them
  std::optional<Instant> next_start;

  bool anything_alive() const { return spawn_pending || main_alive || leftovers; }
};

/// New values on their way; what people see of it is View::rotation.
struct Rotation {
  RotationPhase phase = RotationPhase::restarting;
  ValuesInForce before;
  std::set<ServiceId> serving;  // when it began: only these decide its outcome
  std::set<ServiceId> pending;  // serve with the old values, and wait for their turn
  std::set<ServiceId> awaited;  // have to be ready again before it goes on
  std::set<ServiceId> moved;    // served before, and were given the new values: a failure of theirs counts
  std::optional<Instant> deadline;
  bool hurried = false;           // the deadline is an earlier one: newer values wait
  std::optional<Outcome> ending;  // decided, to be concluded
  std::set<std::string> blamed;   // the keys that are held back from now on
};

/// A value of the sources that is not in force.
struct HeldValue {
  HeldWhy why = HeldWhy::guarded;
  std::string reason;
  std::optional<std::string> wanted;  // of a guarded key: what services would see
  env::Generation generation = 0;
  Instant since{};
};

struct Engine::Machine {
  Machine(PlanPtr plan, Bounds bounds);

  void handle(const Event& event, Instant now, std::vector<Action>& actions);

  // --- events.cpp
  void on(const Tick& event);
  void on(const Spawned& event);
  void on(const SpawnFailed& event);
  void on(const Exited& event);
  void on(const TreeEmpty& event);
  void on(const ConditionChanged& event);
  void on(const EnvironmentChanged& event);
  void on(const PlanChanged& event);
  void on(const InputRefused& event);
  void on(const StopRequested& event);
  void on(const Command& event);
  void on(const StartWaits& event);
  void on(const Remark& event);
  void tell_what_it_waited_for();
  bool is_current(RunId run) const;
  RunId run_of(ServiceId id) const { return {id, runs_[id].number}; }
  What how_it_ended(ServiceId id, const ExitStatus& status) const;
  void forgive_lateness();
  void fire_due_timers();
  void fire_timer(ServiceId id);

  // --- starting.cpp
  void consider(ServiceId id);
  void consider_start(ServiceId id);
  bool unmet(ServiceId other) const;
  bool had_its_chance(ServiceId id) const { return had_chance_[id]; }
  bool work_out_chance(ServiceId id) const;
  void refresh_chance(ServiceId id);
  void refresh_chances();
  std::vector<ServiceId> unmet_prerequisites(ServiceId id) const;
  bool gate_is_down(ServiceId id) const;
  void begin(ServiceId id);
  void spawn(ServiceId id);
  void look_whether_done(ServiceId id);
  void consider_ready(ServiceId id);
  void become_ready(ServiceId id);
  void consider_task(ServiceId id);
  void task_is_done(ServiceId id);
  void drop_overdue_conditions(ServiceId id);
  bool holds(ServiceId id, std::uint32_t first, std::uint32_t last) const;
  void watch(ServiceId id, std::uint32_t number);
  void unwatch(ServiceId id, std::uint32_t number);
  void unwatch_all(ServiceId id);
  void look_while_ready(ServiceId id);
  void look_away(ServiceId id);
  void restart_what_is_bound(ServiceId id);

  // --- stopping.cpp
  enum class Order { at_once, dependents_first };
  void stop(ServiceId id, Next next, Order order, const Cause& cause);
  void stop_with_bound(ServiceId id, Next next, const Cause& cause);
  std::vector<ServiceId> up_and_bound(ServiceId id) const;
  std::vector<ServiceId> goes_after(ServiceId id) const;
  bool is_being_stopped(ServiceId id) const;
  void enter_phase(ServiceId id, StopPhase phase);
  void advance_stop(ServiceId id);
  void signal_main(ServiceId id);
  void kill_main(ServiceId id);
  std::string why_killed(ServiceId id) const;
  void main_is_gone(ServiceId id);
  void kill_leftovers(ServiceId id);
  void run_is_over(ServiceId id);
  void on_stop_deadline(ServiceId id);

  // --- recovery.cpp
  void recover(ServiceId id);
  bool went_into_background(ServiceId id) const;
  void back_off(ServiceId id, Nanoseconds pause);
  void give_up(ServiceId id);
  void ended_well(ServiceId id);
  void forgive_dependents(ServiceId id);

  // --- pod.cpp
  void refresh_pod();
  void end_pod(int code, const std::string& verdict, const std::string& culprit);
  void stop_everything(const Cause& cause);
  void hurry(const std::string& cause);
  void kill_everything(const std::string& cause);
  void consider_end();
  void finish();
  void refuse_boot_without_values();

  // --- values.cpp
  const env::SnapshotPtr& snapshot() const { return in_force_.snapshot; }
  void put_in_force(ValuesInForce values);
  void take_values(ServiceId id);
  bool has_old_values(ServiceId id) const;
  bool sees_other_values(ServiceId id, const env::Snapshot& snapshot) const;
  void follow_values(ServiceId id, const Cause& cause);
  void tell_of_values(ServiceId id, const Cause& cause);
  void try_again_with(ServiceId id, const Cause& cause);
  std::string why_refused(const env::Snapshot& fresh) const;

  // --- rotation.cpp
  using Criticality = std::tuple<bool, bool, std::size_t, std::uint32_t>;
  void take_first_values(const EnvironmentChanged& event);
  void supersede(const EnvironmentChanged& older, env::Generation newer);
  void show_waiting_values();
  bool advance_rotation();
  void take_turn(const EnvironmentChanged& offer);
  void refuse(const EnvironmentChanged& offer, const env::Snapshot& fresh, const std::string& cause);
  std::optional<Instant> brake(const env::Snapshot& fresh);
  bool serves(ServiceId id) const;
  void begin_rotation(const EnvironmentChanged& offer, const env::SnapshotPtr& fresh);
  void enroll(ServiceId id);
  void await_what_was_stopped();
  void await_return_of(ServiceId id);
  bool advance_phase();
  bool advance_restarting(bool too_late);
  std::optional<ServiceId> failing_one() const;
  bool serves_again(ServiceId id) const;
  bool all_serve_again() const;
  bool waits_for_its_turn(ServiceId id) const;
  std::optional<ServiceId> next_in_turn() const;
  Criticality criticality(ServiceId id) const;
  void take_turn_of(ServiceId id);
  void started_out_of_turn(ServiceId id);
  void list_remaining();
  void hurry_turn();
  bool blame_values(ServiceId id);
  void go_back(ServiceId culprit, const Cause& failure);
  void go_back_with(ServiceId id, const Cause& why);
  void end_rotation(Outcome outcome);
  void conclude(Outcome outcome, const std::string& cause);
  void interrupt_rotation(const std::string& cause);
  RotationView& shown_rotation() { return *view_.rotation; }

  // --- held.cpp
  using Held = std::map<std::string, HeldValue>;
  void on(const Accept& event);
  void on(const Retry& event);
  env::SnapshotPtr without_held(const EnvironmentChanged& offer);
  std::optional<HeldValue> why_held(const std::string& key, const EnvironmentChanged& offer) const;
  std::optional<HeldValue> why_gone(const std::string& key, const EnvironmentChanged& offer) const;
  std::ptrdiff_t strength(const std::string& source) const;
  void keep_old_value(env::Snapshot& kept, const std::string& key) const;
  void hold(env::Snapshot& kept, Held& held, const std::string& key, HeldValue value) const;
  void hold_what_is_needed(env::Snapshot& kept, Held& held, const EnvironmentChanged& offer) const;
  bool is_taken(const std::string& key) const;
  void tell_of_held(const Held& held);
  std::string remedy(const std::string& key, const HeldValue& value) const;
  /// Why it failed, with its last words: for its own state, not for what follows for others.
  Cause told(ServiceId id) const;
  std::string how_changed(const std::string& key, const std::optional<std::string>& wanted) const;
  std::set<std::string> blamed_keys(ServiceId culprit, const env::Difference& keys) const;
  Held hold_blamed(ServiceId culprit, const std::string& failure);
  bool retry_what_is_due();
  std::optional<Instant> retry_due() const;
  void show_held_keys();
  std::string held_names() const;
  std::string why_missing(const std::vector<std::string>& keys) const;

  // --- values.cpp
  void before_run(ServiceId id, const env::Snapshot* last_values);
  void forget_logins(ServiceId id);
  void forget_all_logins();

  // --- held.cpp
  std::optional<std::string> seen_now(const std::string& key, const env::Snapshot& snapshot) const;
  void hold_guarded(env::Snapshot& kept, Held& held, const EnvironmentChanged& offer) const;
  bool accept_at_boot(const Accept& event);
  std::string guarded_change(const plan::Plan& fresh) const;
  void note_unlike_last_run(const std::set<std::string>& before);

  // --- plan_change.cpp
  void take_plan(const plan::Plan& fresh);
  PlanPtr merged_with(const plan::Plan& fresh, std::vector<ServiceId>& changed) const;
  void adopt(PlanPtr merged);

  // --- record.cpp
  const plan::Service& service(ServiceId id) const { return plan_->services[id]; }
  ServiceView& shown(ServiceId id) { return view_.services[id]; }
  State state(ServiceId id) const { return view_.services[id].state; }
  void enter(ServiceId id, State to, const Cause& cause);
  Cause why_not_part(ServiceId id) const;
  void wait_for_services(ServiceId id, std::vector<ServiceId> others);
  void wait_for_conditions(ServiceId id);
  void note(What what, ServiceId id, std::string cause);
  void note_pod(What what, std::string cause);
  void note_generation(What what, env::Generation generation, std::string cause);
  void touch(ServiceId id);
  void touch_neighbours(ServiceId id);
  void touch_what_waits_to_stop(ServiceId id);
  void settle();
  bool too_many(std::size_t rounds, const char* what);
  void end_by_fault(const std::string& sentence);
  std::optional<Instant> timer_of(ServiceId id) const;
  void refresh_timer(ServiceId id);
  std::optional<Instant> deadline() const;
  void emit(Action action) { actions_->push_back(std::move(action)); }
  ServiceView fresh_view(const plan::Service& service) const;
  void list_tasks();
  bool stopping() const { return view_.state == PodState::stopping || view_.state == PodState::ended; }

  PlanPtr plan_;
  Dependencies dependencies_;
  std::vector<ServiceId> tasks_;
  std::vector<Runtime> runs_;
  View view_;

  // Values.
  ValuesInForce in_force_;  // what is started now gets them
  StormBrake brake_;
  Logins logins_;
  std::optional<Rotation> rotation_;
  std::optional<EnvironmentChanged> last_offer_;
  std::optional<EnvironmentChanged> next_values_;  // wait for their turn, or for the storm brake
  std::optional<Instant> next_values_at_;          // the brake's end
  std::string brake_cause_;
  PlanPtr next_plan_;  // waits for the rotation's end

  // Held back; a value of nullopt: not set.
  Held held_back_;
  FailedValues failed_;
  bool operator_waits_ = false;  // for the answer to a ReadSources: no storm brake
  GuardedKeys guarded_;

  Instant now_{};
  std::vector<Action>* actions_ = nullptr;  // valid inside handle() only
  std::uint64_t seq_ = 0;
  Bounds bounds_;
  std::set<std::uint32_t> touched_;  // ranks of the services to consider again
  std::vector<bool> had_chance_;     // by service: it is not on its way, waiting for it could be for ever
  std::size_t queued_ = 0;           // services that wait for others before they are told to stop
  std::set<std::pair<Instant, ServiceId>> timers_;
  std::vector<std::optional<Instant>> timer_;  // what stands in timers_, by service

  // The end.
  std::optional<Instant> kill_at_;  // everything gets SIGKILL
  std::uint32_t stop_requests_ = 0;
  ServiceId ended_ = 0;  // while the pod stops: nothing of the services below it is alive
  int exit_code_ = 0;
  std::string verdict_;
  std::string culprit_;
};

}  // namespace arizuko::engine
