// What is to be done next: services to consider again, in start order, and the instant at which each one's
// time is over. It knows nothing of services but their numbers and ranks.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "arizuko/engine/run_id.hpp"
#include "arizuko/engine/time.hpp"

namespace arizuko::engine {

class Agenda {
 public:
  explicit Agenda(std::size_t services) : timer_(services) {}

  /// There are so many services now; whom to consider again is forgotten, timers stay.
  void resize(std::size_t services);
  void clear();

  void touch(std::uint32_t rank) { touched_.insert(rank); }
  /// The first of those touched; it is touched no more. nullopt: nothing is left.
  std::optional<std::uint32_t> next_touched();

  /// nullopt: none.
  void set_timer(ServiceId id, std::optional<Instant> at);
  std::optional<Instant> first_timer() const;
  /// Whose timer is the first, when that is due.
  std::optional<ServiceId> due(Instant now) const;
  /// All whose timers are before `instant`, the first one first.
  std::vector<ServiceId> before(Instant instant) const;

 private:
  std::set<std::uint32_t> touched_;  // ranks
  std::set<std::pair<Instant, ServiceId>> timers_;
  std::vector<std::optional<Instant>> timer_;  // what stands in timers_, by service
};

}  // namespace arizuko::engine
