// A rotation: one generation of values on its way through the services.
//
//   refused       it never began: a needed value is missing, or all that it changes is held back
//   superseded    a newer generation came before its turn
//   applied       every service that served before and restarted for it is ready again
//   rolled back   one of them was not: all of them serve again with the values from before
//   rolled back in part   and one of them does not serve with these any more either
//   interrupted   the run ended meanwhile
//
// Services restart one after the other: what others come after goes first, and among equals the least
// critical, so that a wrong value meets as few of them as can be. What is bound to a service goes with it.
//
// A value is the trouble of those who take it. What is held back is held back key by key (HeldWhy): the value
// in force stays, and the rest of the generation is taken. What a service did not bear is tried once more by
// itself, for a random end within the time of observation proves nothing; after that, when it changes or an
// operator asks.
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

/// So long after a way back, what was not borne is tried once more.
inline constexpr std::chrono::minutes retried_after{1};

/// While newer values wait, a service that is neither essential nor in ready_when gets so long to be ready.
inline constexpr std::chrono::seconds patience_while_others_wait{30};

/// The rate limit: so many rotations may restart one service within so long. What comes on top waits,
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
  std::optional<Instant> until;  // the rate limit's end
};

/// Why a value of the sources is not in force.
enum class HeldWhy : std::uint8_t {
  guarded,   // until somebody accepts it: what is stored under the old one would be lost
  failed,    // a service did not bear it
  weaker,    // gone from a stronger source; a weaker one has another: until somebody accepts it
  emptied,   // its source gives nothing any more: until somebody accepts it
  needed,    // removed, and a service that runs needs it
  unusable,  // no variable can hold it, or it could not be read
};
inline constexpr std::size_t held_whys = 6;
std::string_view to_text(HeldWhy why);
/// An operator may accept it as it is.
constexpr bool can_be_accepted(HeldWhy why) {
  return why == HeldWhy::guarded || why == HeldWhy::weaker || why == HeldWhy::emptied;
}

/// A key whose value in the sources is not in force; never the value.
struct HeldKeyView {
  std::string key;
  std::string how;      // "changed", "added", "removed"
  bool blocks = false;  // at boot: the services that see it do not start
  HeldWhy why = HeldWhy::guarded;
  std::string reason;              // a clause: "slakd did not bear it: it exited with code 1"
  std::string remedy;              // what follows, or what to do
  env::Generation generation = 0;  // that brought it
  Instant since{};
  std::optional<Instant> retry_at;
};

}  // namespace arizuko::engine
