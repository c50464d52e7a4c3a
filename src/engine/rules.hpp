// Rules over the services, a class for each matter. None has a state of its own: what is remembered stands in
// Services, Pod and Generations, so that the engine is a value. Each is made where it is used.
//
//   reports.hpp     what the world tells of a run
//   timeouts.hpp    a phase has lasted its time
//   starting.hpp    when a service may start, when it is ready, when a task is done
//   conditions.hpp  what is watched of a run
//   stopping.hpp    how one is stopped: main process, leftovers, in which order
//   recovery.hpp    what follows a failure: back-off, giving up
//   following.hpp   what the values in force mean for each service
//   pod_rules.hpp   the pod as a whole: opened, ready, the end
//   plan_change.hpp a new plan
#pragma once

#include "generations.hpp"
#include "pod.hpp"
#include "services.hpp"

namespace arizuko::engine {

inline constexpr int sigkill = 9;  // signal(7), every architecture of Linux

struct Machine;
class Conditions;
class Starting;
class Stopping;
class Recovery;
class Following;
class PodRules;

class Rules {
 public:
  explicit Rules(Machine& machine);

 protected:
  // The other matters.
  Conditions conditions() const;
  Starting starting() const;
  Stopping stopping() const;
  Recovery recovery() const;
  Following following() const;
  PodRules pod_rules() const;

  // What all of them say all the time.
  const plan::Service& service(ServiceId id) const { return services_.service(id); }
  State state(ServiceId id) const { return services_.state(id); }
  Run& change(ServiceId id) const { return services_.change(id); }
  RunId run_of(ServiceId id) const { return services_.run_of(id); }
  bool is_current(RunId run) const { return services_.is_current(run); }
  /// A gate that goes down excuses what came after it.
  void enter(ServiceId id, State to, const Cause& cause) const;
  void enter_phase(ServiceId id, Phase phase, std::optional<Instant> due = std::nullopt) const {
    services_.enter_phase(id, phase, due);
  }
  void wait_for_services(ServiceId id, std::vector<ServiceId> others) const {
    services_.wait_for_services(id, std::move(others));
  }
  bool unmet(ServiceId id) const { return services_.unmet(id); }
  bool gate_is_down(ServiceId id) const { return services_.gate_is_down(id); }
  bool had_its_chance(ServiceId id) const { return services_.had_its_chance(id); }
  void refresh_chances() const { services_.refresh_chances(); }
  bool is_being_stopped(ServiceId id) const { return services_.is_being_stopped(id); }
  std::vector<ServiceId> up_and_bound(ServiceId id) const { return services_.up_and_bound(id); }
  Cause why_not_part(ServiceId id) const { return services_.why_not_part(id); }
  void touch(ServiceId id) const { services_.touch(id); }
  void touch_neighbours(ServiceId id) const { services_.touch_neighbours(id); }
  void refresh_timer(ServiceId id) const { services_.refresh_timer(id); }
  Instant now() const { return services_.now(); }
  void emit(Action action) const { services_.emit(std::move(action)); }
  void note(What what, ServiceId id, std::string cause) const { services_.note(what, id, std::move(cause)); }
  void note_pod(What what, std::string cause) const { services_.note_pod(what, std::move(cause)); }
  bool pod_stops() const { return pod_.stops(); }

  Machine& machine_;
  Services& services_;
  Pod& pod_;
  Generations& values_;
};

}  // namespace arizuko::engine
