// Values that a service did not bear: each is tried once more by itself, and then held until it changes, or
// an operator asks.
//
// A machine of its own: it is told what failed, what is offered and what is in force, and answers which
// values are held. It knows nothing of services, and time is an argument.
//
//   not borne -> waits for its retry -> released -> borne: forgotten
//                        ^                  |
//                        |                  +-> not borne again: held, without a retry
//                        +-- not borne, by another value (a new entry)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/time.hpp"
#include "arizuko/env/snapshot.hpp"

namespace arizuko::engine {

class FailedValues {
 public:
  struct Entry {
    std::optional<std::string> value;  // nullopt: it was not set
    std::string reason;                // "slakd did not bear it: it exited with code 1"
    env::Generation generation = 0;    // that brought it first
    Instant since{};
    std::uint32_t failures = 0;
    std::optional<Instant> retry_at;
    bool released = false;  // it is tried again, or about to be
  };

  /// The value that `snapshot` has of it was not borne. The first time a retry follows.
  void add(const std::string& key, const env::Snapshot& snapshot, std::string reason, Instant now);
  /// What is another value now is forgotten: a changed value begins anew.
  void offered(const env::Snapshot& snapshot);
  /// These values have proved good.
  void borne(const env::Snapshot& snapshot);
  /// The entry that holds this value back, or nullptr.
  const Entry* holding(const std::string& key, const std::optional<std::string>& value) const;

  /// When the next retry is due.
  std::optional<Instant> due() const;
  /// Those whose retry is due may be tried now: their keys.
  std::vector<std::string> release_due(Instant now);
  /// An operator asks: for this key, or for all. Their keys.
  std::vector<std::string> release(const std::optional<std::string>& key);

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace arizuko::engine
