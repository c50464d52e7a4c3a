// When a service may start, when it is ready, and when a task is done.
#pragma once

#include <vector>

#include "rules.hpp"

namespace arizuko::engine {

class Starting : Rules {
 public:
  using Rules::Rules;

  /// The one question asked of a service after anything changed: what follows from the facts?
  void consider(ServiceId id);
  void consider_ready(ServiceId id);
  void task_is_done(ServiceId id);

 private:
  void consider_start(ServiceId id);
  std::vector<ServiceId> unmet_prerequisites(ServiceId id) const;
  void begin(ServiceId id);
  void spawn(ServiceId id);
  void look_whether_done(ServiceId id);
  void become_ready(ServiceId id);
  void consider_task(ServiceId id);
  void consider_whether_done(ServiceId id);
  void consider_verified(ServiceId id);
  void restart_what_is_bound(ServiceId id);
};

}  // namespace arizuko::engine
