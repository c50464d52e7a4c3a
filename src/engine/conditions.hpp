// What is watched of a run: begun, ended, dropped, waited for.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class Conditions : Rules {
 public:
  using Rules::Rules;

  void watch(ServiceId id, std::uint32_t number);
  void unwatch(ServiceId id, std::uint32_t number);
  void unwatch_all(ServiceId id);
  /// It is ready again: what is looked at only then is looked at anew.
  void look_while_ready(ServiceId id);
  /// It is not ready any more: what is looked at only while it is says nothing now, neither well nor ill.
  void look_away(ServiceId id);
  /// Those whose `wait` is over.
  void drop_overdue_conditions(ServiceId id);
  bool one_liveness_fails(ServiceId id) const;
  /// For those that do not hold.
  void wait_for_conditions(ServiceId id);
};

}  // namespace arizuko::engine
