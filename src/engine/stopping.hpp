// How a run is brought to its end: its main process first, the rest of its tree after it (T22), and before
// both whatever depends on it.
#pragma once

#include <string>
#include <vector>

#include "rules.hpp"

namespace arizuko::engine {

class Stopping : Rules {
 public:
  using Rules::Rules;

  enum class Order { at_once, dependents_first };
  void stop(ServiceId id, Next next, Order order, const Cause& cause);
  /// A planned stop: what registered with it goes first, and comes back when it is ready again (T37).
  void stop_with_bound(ServiceId id, Next next, const Cause& cause);
  /// It waits for others before it is told, and these may be gone.
  void advance_stop(ServiceId id);
  void main_is_gone(ServiceId id);
  /// Nothing of the run is left. What now?
  void run_is_over(ServiceId id);
  void kill_main(ServiceId id);
  void kill_leftovers(ServiceId id);

 private:
  std::vector<ServiceId> goes_after(ServiceId id) const;
  Instant within(Nanoseconds time) const;
  void signal_main(ServiceId id);
  std::string why_killed(ServiceId id) const;
};

}  // namespace arizuko::engine
