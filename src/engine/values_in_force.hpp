// The values that services are started with now.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "arizuko/engine/time.hpp"
#include "arizuko/env/snapshot.hpp"

namespace arizuko::engine {

/// What a rotation puts into force, and what a way back leads to.
struct ValuesInForce {
  env::SnapshotPtr snapshot;  // nullptr before the first ones
  Instant since{};
  std::set<std::string> unlike_last_run;  // guarded keys whose value here is not that of the last run
};

/// The value that a snapshot has of a key; nullopt: none.
inline std::optional<std::string> text_of(const env::Snapshot& snapshot, const std::string& key) {
  const std::string* text = snapshot.find(key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

}  // namespace arizuko::engine
