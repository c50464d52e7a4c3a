// What the world tells of a run. What comes from one that is over is ignored.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class Reports : Rules {
 public:
  using Rules::Rules;

  void on(const Spawned& event);
  void on(const SpawnFailed& event);
  void on(const Exited& event);
  void on(const TreeEmpty& event);
  void on(const ConditionChanged& event);

 private:
  What how_it_ended(ServiceId id, const ExitStatus& status) const;
};

}  // namespace arizuko::engine
