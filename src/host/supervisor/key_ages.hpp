// Since when each key has had its present value: the generation in force may change without it.
//
// Pure: it compares, and has no clock of its own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "arizuko/engine/time.hpp"
#include "arizuko/env/snapshot.hpp"

namespace arizuko::host {

class KeyAges {
 public:
  /// These values are in force. Cheap when they are those of the last call.
  void note(const env::SnapshotPtr& in_force, engine::Instant now);
  /// nullopt: it has no value.
  std::optional<engine::Instant> since(std::string_view key) const;

 private:
  env::SnapshotPtr noted_;
  std::map<std::string, engine::Instant, std::less<>> since_;
};

}  // namespace arizuko::host
