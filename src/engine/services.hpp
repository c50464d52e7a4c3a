// The services of a plan as the engine knows them: a Run each, who comes after whom, whom to consider again.
// Rules (rules.hpp) decide; here stand facts, near questions about them, and the history.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agenda.hpp"
#include "arizuko/engine/event.hpp"
#include "dependencies.hpp"
#include "record.hpp"
#include "run.hpp"

namespace arizuko::engine {

class Services {
 public:
  explicit Services(PlanPtr plan);

  const PlanPtr& plan() const { return plan_; }
  const Dependencies& dependencies() const { return dependencies_; }
  const std::vector<ServiceId>& tasks() const { return tasks_; }
  std::size_t size() const { return runs_.size(); }
  const plan::Service& service(ServiceId id) const { return plan_->services[id]; }
  /// Services of `merged` have the numbers that they had; all are considered again.
  void adopt(PlanPtr merged);

  const Run& run(ServiceId id) const { return runs_[id]; }
  State state(ServiceId id) const { return runs_[id].state; }
  RunId run_of(ServiceId id) const { return {id, runs_[id].number}; }
  bool is_current(RunId run) const;
  /// To write: what people see of it is made anew at the end of the event.
  Run& change(ServiceId id);
  /// Whose view has to be made anew, since the last call.
  std::vector<ServiceId> take_changed();

  /// Returns the state it was in. A change of state is a line of history, and concerns its neighbours.
  State enter(ServiceId id, State to, const Cause& cause);
  void enter_phase(ServiceId id, Phase phase, std::optional<Instant> due = std::nullopt);
  void wait_for_services(ServiceId id, std::vector<ServiceId> others);

  /// It is not what others wait for: neither ready, nor done, nor out of the instance.
  bool unmet(ServiceId id) const;
  bool gate_is_down(ServiceId id) const;
  /// It is not on its way, waiting for it could be for ever.
  bool had_its_chance(ServiceId id) const { return had_chance_[id]; }
  /// What is part of the instance may be another.
  void refresh_chances();
  bool is_being_stopped(ServiceId id) const;
  std::vector<ServiceId> up_and_bound(ServiceId id) const;
  Cause why_not_part(ServiceId id) const;

  /// To be considered again, once what is touched before it has been.
  void touch(ServiceId id);
  /// Whoever decides by its state.
  void touch_neighbours(ServiceId id);
  void refresh_timer(ServiceId id);
  Agenda& agenda() { return agenda_; }
  const Agenda& agenda() const { return agenda_; }

  Record& record() { return record_; }
  Instant now() const { return record_.now(); }
  void emit(Action action) { record_.emit(std::move(action)); }
  void note(What what, ServiceId id, std::string cause);
  void note_pod(What what, std::string cause);

 private:
  bool work_out_chance(ServiceId id) const;
  void refresh_chance(ServiceId id);
  void touch_what_waits_to_stop(ServiceId id);
  std::optional<Instant> timer_of(ServiceId id) const;
  void list_tasks();

  PlanPtr plan_;
  Dependencies dependencies_;
  std::vector<ServiceId> tasks_;
  std::vector<Run> runs_;
  std::vector<bool> had_chance_;
  std::size_t queued_ = 0;          // services that wait for others before they are told to stop
  std::vector<ServiceId> changed_;  // whose view is not made yet
  std::vector<bool> is_changed_;    // by service: it is among these
  Agenda agenda_;
  Record record_;
};

}  // namespace arizuko::engine
