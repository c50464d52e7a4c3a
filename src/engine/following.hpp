// What the values in force mean for each service.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class Following : Rules {
 public:
  using Rules::Rules;

  /// Other values are in force.
  void values_changed();
  void take_values(ServiceId id);
  /// Brings it to the values in force, at once.
  void follow_values(ServiceId id, const Cause& cause);
  /// What failed before may work now.
  void try_again_with(ServiceId id, const Cause& cause);
  /// With `snapshot` its environment would be another one than it was started with.
  bool sees_other_values(ServiceId id, const env::Snapshot& snapshot) const;

 private:
  bool has_old_values(ServiceId id) const;
  void tell_of_values(ServiceId id, const Cause& cause);
};

}  // namespace arizuko::engine
