// The inside of the engine: what it remembers, and the loop that lets one event have all its consequences.
//
// One event changes facts; then every service that the change may concern is considered again, in start
// order, until nothing follows any more (settle). What is remembered is a value and stands in three places:
// Services, Pod, Generations (the values, and their rotation). What decides has no state: rules.hpp lists it.
//
// What can be asked without services stands by itself, with a header, a source and a test each:
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

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/engine.hpp"
#include "arizuko/env/foreign_format.hpp"
#include "generations.hpp"
#include "pod.hpp"
#include "services.hpp"

namespace arizuko::engine {

struct Machine {
  Machine(PlanPtr plan, Bounds engine_bounds);

  void handle(const Event& event, Instant at, std::vector<Action>& actions);
  std::optional<Instant> deadline() const;

  Services services;
  Pod pod;
  Generations values;
  PlanPtr next_plan;  // waits for the rotation's end
  Bounds bounds;
  View view;
  PlanPtr shown_plan;  // whose services `view` shows

 private:
  // --- events.cpp
  void on(const Tick& event);
  template <class Report>
  void on(const Report& event);  // of a run: reports.hpp
  void on(const PlanChanged& event);
  void on(const InputRefused& event);
  void on(const StopRequested& event);
  void on(const Command& event);
  void on(const StartWaits& event);
  void on(const Remark& event);
  void on(const EnvironmentChanged& event);
  void on(const Accept& event);
  void on(const Retry& event);
  void take(const Event& event);
  void tell_what_it_waited_for();

  void settle();
  void fire_due_timers();
  bool advance_values();
  bool too_many(std::size_t rounds, const char* what);

  // --- shown.cpp
  void show(ServiceId id);
  void show_pod();
  void show_what_changed();
};

}  // namespace arizuko::engine
