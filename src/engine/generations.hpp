// What becomes of the generations of values: which is in force, which waits for its turn, which is on its
// way.
//
//   offered -> first one: in force at once
//           -> refused (a service would lack what it needs; all of it is held back)
//           -> waits (for a rotation, or the rate limit) -> superseded by a newer one
//           -> a rotation (rotation.hpp) -> applied, rolled back (in part)
//   and whatever has no outcome yet when the run ends is interrupted.
//
// It drives the machines below it: Rotation, HeldBack, RateLimit, Logins. Of services it knows what
// RotatedServices answers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/view.hpp"
#include "held_back.hpp"
#include "logins.hpp"
#include "rate_limit.hpp"
#include "rotated_services.hpp"
#include "rotation.hpp"
#include "values_in_force.hpp"

namespace arizuko::engine {

class Generations {
 public:
  const ValuesInForce& in_force() const { return in_force_; }
  const env::SnapshotPtr& snapshot() const { return in_force_.snapshot; }  // nullptr before the first
  bool is_rotating() const { return rotation_.has_value(); }
  bool is_observing() const { return rotation_ && rotation_->record().phase == RotationPhase::observing; }
  /// A rotation is under way, and will restart this service.
  bool has_turn_to_come(ServiceId id) const { return rotation_ && rotation_->is_pending(id); }
  /// When something is due if nothing happens; not asked while the pod stops.
  std::optional<Instant> deadline() const;

  // --- What comes from outside. False: it is no news.
  bool offer(const EnvironmentChanged& event, RotatedServices& services);
  void accept(const Accept& event, RotatedServices& services);
  void retry(const Retry& event, RotatedServices& services);
  void plan_waits();
  /// The run ends: what is under way, or waits, has no other outcome any more.
  void interrupt(const std::string& cause, RotatedServices& services);
  void forgive_lateness(Instant now);

  /// One step. True: something changed; let it have its consequences, and call again.
  bool advance(RotatedServices& services);

  // --- What services tell
  /// It failed. True: the values are to blame and not the service; what follows is done.
  bool takes_blame_for(ServiceId id, RotatedServices& services);
  /// Before a run that gets the values in force. `last`: those of its run before; nullptr: it is the first.
  void before_run(ServiceId id, const env::Snapshot* last, RotatedServices& services);
  /// A run was started.
  void started(ServiceId id, const RotatedServices& services);
  /// A run is ready for the first time.
  void ready(ServiceId id, RotatedServices& services);

  /// The guarded keys that keep a service from starting: nobody has accepted them.
  std::vector<std::string> unaccepted(const plan::Plan& plan, const plan::Service& service) const;
  /// Why another plan would not be taken; empty: it would.
  std::string why_not(const plan::Plan& fresh, const plan::Plan& plan) const;

  /// Its part of the view, as far as it changed.
  void show(View& view, const plan::Plan& plan, Instant now);

 private:
  struct Waiting {
    EnvironmentChanged offer;
    std::optional<Instant> until;  // the rate limit's end
    std::string cause;             // why that
  };

  void take_first(const EnvironmentChanged& event, RotatedServices& services);
  void take_turn(const EnvironmentChanged& offer, RotatedServices& services);
  std::optional<std::string> why_refused(const env::Snapshot& fresh, const std::vector<ServiceId>& running,
                                         const RotatedServices& services) const;
  void refuse(RotationView record, const std::string& cause, RotatedServices& services);
  bool has_to_wait(const EnvironmentChanged& offer, const env::Snapshot& fresh, RotatedServices& services);
  void begin(const EnvironmentChanged& offer, const env::SnapshotPtr& fresh, RotatedServices& services);
  bool advance_rotation(RotatedServices& services);
  void go_back(ServiceId culprit, const Cause& failure, RotatedServices& services);
  void end_rotation(Outcome outcome, RotatedServices& services);
  void conclude(Outcome outcome, const std::string& cause, RotatedServices& services);
  void count(Outcome outcome) { ++outcomes_[static_cast<std::size_t>(outcome)]; }
  void put_in_force(ValuesInForce values, RotatedServices& services);
  bool retry_what_is_due(RotatedServices& services);
  bool accept_at_boot(const Accept& event, RotatedServices& services);
  void tell_of_unlike_last_run(const std::set<std::string>& known, RotatedServices& services) const;
  void forget_logins(ServiceId id, RotatedServices& services);
  std::optional<WaitingValuesView> waiting_view() const;

  ValuesInForce in_force_;
  std::optional<Rotation> rotation_;
  std::optional<EnvironmentChanged> last_offer_;
  std::optional<Waiting> waiting_;
  HeldBack held_;
  RateLimit rate_limit_;
  Logins logins_;
  bool operator_waits_ = false;  // for the answer to a ReadSources: no rate limit

  std::optional<RotationView> last_;                        // the last one that ended, or was refused
  std::array<std::uint64_t, engine::outcomes> outcomes_{};  // how many ended so
  bool changed_ = false;                                    // since it was shown
  bool held_changed_ = false;
};

}  // namespace arizuko::engine
