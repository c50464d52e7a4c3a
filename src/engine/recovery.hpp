// What follows when a run ended unasked: at once, later, or never again.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class Recovery : Rules {
 public:
  using Rules::Rules;

  void recover(ServiceId id);
  void back_off(ServiceId id, Nanoseconds pause);
  /// A task exited with code 0.
  void ended_well(ServiceId id);
  /// The gate went down: what came after it and ended in the same moment ended because of it.
  void forgive_dependents(ServiceId id);
  bool went_into_background(ServiceId id) const;
  /// Why it failed, with its last words: for its own state, not for what follows for others.
  Cause told(ServiceId id) const;

 private:
  void give_up(ServiceId id);
};

}  // namespace arizuko::engine
