// One rotation: a transaction that brings the services to one generation of values, or all of them back.
//
//   restarting -> observing -> ended: applied
//       |             |
//       |             +-- one failed by itself --+
//       +-- one was not ready again in time -----+-> going_back -> ended: rolled back (in part)
//
// A machine of its own. Each step says what it came to; whoever drives it (Generations) puts values in force,
// and decides what of them is held back. Docs: include/arizuko/engine/rotation.hpp,
// docs/explanation/rotation.md.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "arizuko/engine/rotation.hpp"
#include "rotated_services.hpp"
#include "values_in_force.hpp"

namespace arizuko::engine {

class Rotation {
 public:
  // What an advance came to.
  struct AtRest {};  // nothing changed: it waits
  struct Moved {
    std::optional<ServiceId> restarted;  // whose turn it was
  };
  struct Failed {  // there has to be a way back: go_back(), then bring_back()
    ServiceId culprit;
    Cause failure;
  };
  struct Ended {
    Outcome outcome;
  };
  using Step = std::variant<AtRest, Moved, Failed, Ended>;

  /// Before its values are put in force: what serves now decides its outcome. `record` says what it is about.
  Rotation(RotationView record, env::SnapshotPtr values, ValuesInForce before,
           const RotatedServices& services);

  /// The values are in force: who serves waits for its turn, who does not follows at once.
  void begin(RotatedServices& services);
  /// One step. Called again until it is at rest or has ended.
  Step advance(RotatedServices& services);

  /// They do not wait long for services that the pod can do without.
  void newer_values_wait(const RotatedServices& services);
  void plan_waits() { plan_waits_ = true; }

  /// A service ended, or did not become ready.
  enum class Blame { service, values };
  Blame blame_for(ServiceId id, const RotatedServices& services);
  /// The way back begins; these keys are to blame. The old values are put in force next.
  void go_back(const std::string& cause, std::set<std::string> blamed, const RotatedServices& services);
  /// The old values are in force: everybody returns to them.
  void bring_back(const Cause& why, RotatedServices& services);

  /// A service was started for a reason of its own: if its turn had not come, it has now.
  void started(ServiceId id, const RotatedServices& services);
  void interrupt(const std::string& cause) { record_.cause = cause; }
  void forgive_lateness(Instant now);

  const RotationView& record() const { return record_; }
  const ValuesInForce& before() const { return before_; }
  const std::set<std::string>& blamed() const { return blamed_; }
  std::vector<std::string> names_of_moved(const plan::Plan& plan) const;
  bool is_pending(ServiceId id) const { return pending_.contains(id); }
  std::optional<Instant> deadline() const { return deadline_; }

 private:
  void enroll(ServiceId id, RotatedServices& services);
  void await_return_of(ServiceId id, const RotatedServices& services);
  Step advance_restarting(RotatedServices& services);
  Step advance_observing(const RotatedServices& services);
  Step advance_going_back(const RotatedServices& services);
  Step end(Outcome outcome);
  bool is_too_late(Instant now) const { return deadline_ && now >= *deadline_; }
  std::optional<ServiceId> failing_one(const RotatedServices& services) const;
  bool serves_again(ServiceId id, const RotatedServices& services) const;
  bool waits_for_its_turn(ServiceId id, const RotatedServices& services) const;
  void take_turn_of(ServiceId id, RotatedServices& services);
  void hurry(const RotatedServices& services);
  void return_to_old_values(ServiceId id, const Cause& why, RotatedServices& services);
  void list_remaining(const RotatedServices& services);

  RotationView record_;
  env::SnapshotPtr values_;  // everybody is brought to these
  ValuesInForce before_;
  std::set<ServiceId> serving_;  // when it began: only these decide its outcome
  std::set<ServiceId> pending_;  // serve with the old values, and wait for their turn
  std::set<ServiceId> awaited_;  // have to be ready again before it goes on
  std::set<ServiceId> moved_;    // served before, and were given the new values: a failure of theirs counts
  std::optional<Instant> deadline_;
  bool hurried_ = false;  // the deadline is an earlier one: newer values wait
  bool newer_values_wait_ = false;
  bool plan_waits_ = false;
  std::optional<Outcome> outcome_;  // decided
  std::set<std::string> blamed_;    // the keys that are held back from now on
};

}  // namespace arizuko::engine
