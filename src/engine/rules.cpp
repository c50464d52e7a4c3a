#include "rules.hpp"

#include "conditions.hpp"
#include "following.hpp"
#include "machine.hpp"
#include "pod_rules.hpp"
#include "recovery.hpp"
#include "starting.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

Rules::Rules(Machine& machine)
    : machine_(machine), services_(machine.services), pod_(machine.pod), values_(machine.values) {}

Conditions Rules::conditions() const { return Conditions(machine_); }
Starting Rules::starting() const { return Starting(machine_); }
Stopping Rules::stopping() const { return Stopping(machine_); }
Recovery Rules::recovery() const { return Recovery(machine_); }
Following Rules::following() const { return Following(machine_); }
PodRules Rules::pod_rules() const { return PodRules(machine_); }

void Rules::enter(ServiceId id, State to, const Cause& cause) const {
  const State from = services_.enter(id, to, cause);
  if (from == State::ready && to != State::ready) recovery().forgive_dependents(id);
}

}  // namespace arizuko::engine
