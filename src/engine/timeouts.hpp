// A phase has lasted its time; and what was late because nobody looked.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class Timeouts : Rules {
 public:
  using Rules::Rules;

  void fire_timer(ServiceId id);
  /// A node that froze, a debugger: nobody looked at what a deadline is about. What came meanwhile is told
  /// next, and what has to be looked at needs a look: the time begins anew, for as long as nobody looked.
  void forgive_lateness();

 private:
  void too_late(ServiceId id);
};

}  // namespace arizuko::engine
