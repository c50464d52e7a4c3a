// A new plan: what is affected, and nothing else, is restarted in order.
#pragma once

#include "rules.hpp"

namespace arizuko::engine {

class PlanChange : Rules {
 public:
  using Rules::Rules;

  void take_plan(const plan::Plan& fresh);
};

}  // namespace arizuko::engine
