// What is held back now, and what an operator may say to it. held_values.hpp decides on an offer; this
// remembers what was decided, what failed and what was accepted, and tells people what is new of it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arizuko/engine/view.hpp"
#include "failed_values.hpp"
#include "guarded_keys.hpp"
#include "held_values.hpp"
#include "rotated_services.hpp"

namespace arizuko::engine {

class HeldBack {
 public:
  /// What of an offer is taken.
  env::SnapshotPtr take(const EnvironmentChanged& offer, const env::Snapshot& in_force,
                        const std::vector<ServiceId>& running, RotatedServices& services);
  /// A service did not bear `failed`; `in_force` is what it went back to. These keys are held back from now
  /// on.
  void blame(const std::set<std::string>& keys, const std::string& reason, const env::Snapshot& failed,
             const env::Snapshot& in_force, RotatedServices& services);
  /// These values have proved good.
  void borne(const env::Snapshot& values) { failed_.borne(values); }

  /// The operator accepts the value that is held back. False: none of this key is, or it cannot be accepted.
  bool accept(const std::string& key);
  /// The operator wants tried again what failed, of one key or of all: which keys are.
  std::vector<std::string> retry(const std::optional<std::string>& key);
  /// The one retry of what failed.
  std::vector<std::string> release_due(Instant now) { return failed_.release_due(now); }
  std::optional<Instant> due() const { return failed_.due(); }

  GuardedKeys& guarded() { return guarded_; }
  const GuardedKeys& guarded() const { return guarded_; }
  const HeldValues& values() const { return held_; }
  /// For people: what is held back, and what keeps services from starting.
  std::vector<HeldKeyView> view(const plan::Plan& plan, const ValuesInForce& values, Instant now) const;

 private:
  enum class Failures { known, news };  // whether what failed once more is told again
  void replace(HeldValues held, const env::Snapshot& in_force, Failures failures, RotatedServices& services);

  HeldValues held_;
  FailedValues failed_;
  GuardedKeys guarded_;
};

}  // namespace arizuko::engine
