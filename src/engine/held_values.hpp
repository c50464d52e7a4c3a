// Which values of an offer are in force, and which are held back, key by key: the value in force stays, and
// the rest of the generation is taken. Who takes a value has the trouble of it, and nobody else.
//
// Pure functions: the same offer, plan, values in force and memory of what failed and was accepted always
// give the same answer. Nothing is remembered here (held_back.hpp does that), and nothing is said.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arizuko/engine/event.hpp"
#include "arizuko/engine/rotation.hpp"
#include "arizuko/env/difference.hpp"
#include "dependencies.hpp"
#include "failed_values.hpp"
#include "guarded_keys.hpp"

namespace arizuko::engine {

/// A value of the sources that is not in force.
struct HeldValue {
  HeldWhy why = HeldWhy::guarded;
  std::string about;   // the service that needs it, the source in question, what is wrong with it
  std::string reason;  // for people, a clause: "slakd did not bear it: it exited with code 1"
  std::optional<std::string> wanted;  // nullopt: it is not set; of a guarded key: what services would see
  env::Generation generation = 0;     // that brought it
  Instant since{};
};
using HeldValues = std::map<std::string, HeldValue>;  // by key

/// The same value, held for the same reason.
bool is_same(const HeldValue& one, const HeldValue& other);

/// What decides on an offer.
struct Sieve {
  const plan::Plan& plan;
  const env::Snapshot& in_force;
  const HeldValues& held;  // until now
  const FailedValues& failed;
  const GuardedKeys& guarded;
  const std::vector<ServiceId>& running;  // they do not lose a value that they need
  Instant now;
};

struct Sifted {
  env::SnapshotPtr taken;  // the offer itself, when nothing is held back
  HeldValues held;
};

Sifted sift(const EnvironmentChanged& offer, const Sieve& sieve);

/// Of the running services, those that would lack a value that they need: what holding back does not mend.
struct Lack {
  ServiceId service;
  std::vector<std::string> keys;
};
std::vector<Lack> lacking(const plan::Plan& plan, const std::vector<ServiceId>& running,
                          const env::Snapshot& fresh);

/// A service or a task takes it, or is enabled by it.
bool is_taken(const plan::Plan& plan, const std::string& key);

/// The keys that a failure is put down to: what changed of the culprit's own; else of what it comes after,
/// near and far; else all that changed.
std::set<std::string> blamed_keys(const plan::Plan& plan, const Dependencies& dependencies, ServiceId culprit,
                                  const env::Difference& changed);

}  // namespace arizuko::engine
