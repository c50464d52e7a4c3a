// Guarded keys: what is stored under their values would be lost with a new one (T16), so a change is held
// back until an operator accepts it. In a running instance the old value stays. At boot, where only a
// likeness of the last run's value is known, the services that see the key do not start.
//
// A machine of its own: it remembers which values runs were started with and which an operator accepted; what
// follows is a function of that, of the plan and of a snapshot.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/action.hpp"
#include "values_in_force.hpp"

namespace arizuko::engine {

/// By its own name, or by what `env` makes the service see under it; a task stores nothing.
bool sees(const plan::Plan& plan, const plan::Service& service, const std::string& key);

class GuardedKeys {
 public:
  /// A value that no service was started with in this run is free: nothing was stored under it.
  bool is_used(const std::string& key) const { return used_.contains(key); }
  /// This value (nullopt: none), and no other.
  bool is_accepted(const std::string& key, const std::optional<std::string>& value) const;
  void accept(const std::string& key, const std::optional<std::string>& value) { accepted_[key] = value; }

  /// A service starts with these values: what has to be remembered of them for the next run, before it does.
  std::vector<Remember> before_run(const plan::Plan& plan, const plan::Service& service,
                                   const env::Snapshot& snapshot);

  /// Unlike the last run's, and not accepted: who sees it does not start.
  bool blocks(const plan::Plan& plan, const std::string& key, const ValuesInForce& values) const;
  /// The keys that keep `service` from starting, in the plan's order.
  std::vector<std::string> unaccepted(const plan::Plan& plan, const plan::Service& service,
                                      const ValuesInForce& values) const;
  /// The first used key of which services would see another value by the plan `fresh`, though no value
  /// changed.
  std::optional<std::string> changed_by(const plan::Plan& fresh, const plan::Plan& plan,
                                        const env::Snapshot& snapshot) const;

 private:
  // By key; a value of nullopt: not set.
  std::map<std::string, std::optional<std::string>> accepted_;
  std::map<std::string, std::optional<std::string>> used_;
};

}  // namespace arizuko::engine
