// A rotation: one generation of values on its way through the services.
//
//   refused       it never began: a needed value is missing, a source is empty, all of it is held back
//   superseded    a newer generation came before its turn
//   applied       every service that served before and restarted for it is ready again
//   rolled back   one of them was not: all of them serve again with the values from before
//   rolled back in part   and one of them does not serve with these any more either
//   interrupted   the run ended meanwhile
//
// Services restart one after the other: what others come after goes first, and among equals the least
// critical, so that a wrong value meets as few of them as can be. What is bound to a service goes with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/engine/time.hpp"
#include "arizuko/env/difference.hpp"
#include "arizuko/env/snapshot.hpp"

namespace arizuko::engine {

enum class Outcome : std::uint8_t {
  applied,
  refused,
  superseded,
  rolled_back,
  rolled_back_in_part,
  interrupted
};
inline constexpr std::size_t outcomes = 6;
std::string_view to_text(Outcome outcome);

/// Where a rotation stands that has no outcome yet.
enum class RotationPhase : std::uint8_t {
  restarting,  // services take the new values, one after the other
  observing,   // all are ready again; a crash within this time still counts against the values
  going_back,  // one was not: back to the values from before
};
std::string_view to_text(RotationPhase phase);

/// How long the services have to live with their new values before these count as good. A newer
/// generation ends the time early.
inline constexpr std::chrono::seconds observed_for{5};

/// The storm brake: so many rotations may restart one service within so long. What comes on top waits,
/// and of what waits only the newest is taken.
inline constexpr std::size_t most_rotations = 10;
inline constexpr std::chrono::hours rotation_window{1};

/// The last rotation that began, or was refused; names only, never a value.
struct RotationView {
  env::Generation generation = 0;
  env::Generation before = 0;
  env::Difference keys;
  std::optional<Outcome> outcome;  // nullopt: under way
  RotationPhase phase = RotationPhase::restarting;
  std::string cause;  // of a refusal or a way back: a sentence
  std::vector<std::string>
      services;  // that it restarts, in order of their turn; what is bound to them as well
  std::vector<std::string> remaining;  // of these: whose turn has not come
  Instant began{};                     // the new values were taken
  std::optional<Instant> switched;     // the host saw the source change
  std::optional<Instant> all_ready;    // with the new values
  std::optional<Instant> ended;
};

/// A generation that waits for its turn.
struct WaitingValuesView {
  env::Generation generation = 0;
  std::string cause;             // what for: a phrase that follows "waits: "
  std::optional<Instant> until;  // the storm brake's end
};

/// A guarded key whose new value waits for an operator.
struct HeldKeyView {
  std::string key;
  std::string how;      // "changed", "added", "removed"
  bool blocks = false;  // at boot: the services that see it do not start
};

}  // namespace arizuko::engine
