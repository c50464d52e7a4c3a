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
//   rotated.cpp    what a rotation asks of the services
//   plan_change.cpp   a new plan
//   record.cpp     the view, the history, the timers
//
// Machines of their own, each with a header, a source and a test, which know nothing of this struct:
//
//   generations    which values are in force, wait, or are on their way
//   rotation       one generation on its way through the services, and the way back
//   turns          one service after the other
//   held_values    which values of an offer are held back, key by key
//   held_back      what is held back now, and what an operator says to it
//   guarded_keys   keys whose values an operator has to accept
//   failed_values  values that a service did not bear
//   logins         files that keep a new value from being tried
//   rate_limit     how often rotations may restart one service
//   restart_policy back-off and budget
//   plan_merge     a new plan beside the one that runs
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "agenda.hpp"
#include "arizuko/engine/engine.hpp"
#include "dependencies.hpp"
#include "generations.hpp"
#include "pod.hpp"
#include "record.hpp"
#include "restart_policy.hpp"
#include "run.hpp"

namespace arizuko::engine {

inline constexpr int sigkill = 9;  // signal(7), every architecture of Linux

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
  void too_late(ServiceId id);
  bool one_liveness_fails(ServiceId id) const;

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
  void consider_whether_done(ServiceId id);
  void consider_verified(ServiceId id);
  void task_is_done(ServiceId id);
  void drop_overdue_conditions(ServiceId id);
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
  void enter_phase(ServiceId id, Phase phase, std::optional<Instant> due = std::nullopt);
  Instant within(Nanoseconds time) const;
  void advance_stop(ServiceId id);
  void signal_main(ServiceId id);
  void kill_main(ServiceId id);
  std::string why_killed(ServiceId id) const;
  void main_is_gone(ServiceId id);
  void kill_leftovers(ServiceId id);
  void run_is_over(ServiceId id);

  // --- recovery.cpp
  void recover(ServiceId id);
  /// Why it failed, with its last words: for its own state, not for what follows for others.
  Cause told(ServiceId id) const;
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
  struct Rotated;  // what Generations asks of this and has it do
  void on(const EnvironmentChanged& event);
  void on(const Accept& event);
  void on(const Retry& event);
  bool advance_values();
  void values_changed();
  void take_values(ServiceId id);
  bool has_old_values(ServiceId id) const;
  bool sees_other_values(ServiceId id, const env::Snapshot& snapshot) const;
  void follow_values(ServiceId id, const Cause& cause);
  void tell_of_values(ServiceId id, const Cause& cause);
  void try_again_with(ServiceId id, const Cause& cause);

  // --- plan_change.cpp
  void take_plan(const plan::Plan& fresh);
  void adopt(PlanPtr merged);

  // --- shown.cpp
  void show(ServiceId id);
  void show_what_changed();
  void show_pod();

  // --- record.cpp
  const plan::Service& service(ServiceId id) const { return plan_->services[id]; }
  State state(ServiceId id) const { return runs_[id].state; }
  /// To write: what people see of it is made anew at the end of the event.
  Run& change(ServiceId id) {
    changed_.insert(id);
    return runs_[id];
  }
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
  Instant now() const { return record_.now(); }
  void emit(Action action) { record_.emit(std::move(action)); }
  void list_tasks();
  bool stopping() const { return pod_.state == PodState::stopping || pod_.state == PodState::ended; }

  PlanPtr plan_;
  Dependencies dependencies_;
  std::vector<ServiceId> tasks_;
  std::vector<Run> runs_;
  std::vector<bool> had_chance_;  // by service: it is not on its way, waiting for it could be for ever
  std::size_t queued_ = 0;        // services that wait for others before they are told to stop
  Pod pod_;
  Generations values_;
  PlanPtr next_plan_;  // waits for the rotation's end

  Record record_;
  Bounds bounds_;
  Agenda agenda_;
  View view_;
  std::set<ServiceId> changed_;  // whose view is not made yet
};

/// The services, as a rotation sees them.
struct Engine::Machine::Rotated final : RotatedServices {
  explicit Rotated(Machine& services) : machine(services) {}

  const plan::Plan& plan() const override { return *machine.plan_; }
  const Dependencies& dependencies() const override { return machine.dependencies_; }
  Instant now() const override { return machine.now(); }
  Standing standing(ServiceId id) const override;
  bool would_see_others(ServiceId id, const env::Snapshot& values) const override;
  bool runs_with(ServiceId id, const env::SnapshotPtr& values) const override;
  std::vector<ServiceId> up_and_bound(ServiceId id) const override { return machine.up_and_bound(id); }
  Cause last_failure(ServiceId id) const override { return machine.runs_[id].restarts.failure; }
  Cause told(ServiceId id) const override { return machine.told(id); }
  void values_changed() override { machine.values_changed(); }
  void follow(ServiceId id, const Cause& cause) override { machine.follow_values(id, cause); }
  void restart(ServiceId id, const Cause& cause) override;
  void leave(ServiceId id) override;
  void start_again(ServiceId id) override;
  void explain_start(ServiceId id, const Cause& why) override;
  void emit(Action action) override { machine.emit(std::move(action)); }
  void note(Note note) override;

  Machine& machine;
};

}  // namespace arizuko::engine
