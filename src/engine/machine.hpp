// The inside of the engine: what it remembers, and the loop that lets one event have all its consequences.
//
// One event changes facts; then every service that the change may concern is considered again, in start
// order, until nothing follows any more (settle). What is remembered is a value and stands in three places:
// Services, Pod, Generations (the values, and their rotation). What decides has no state: rules.hpp lists it.
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
