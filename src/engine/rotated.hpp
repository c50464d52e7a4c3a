// The services, as a rotation of values sees them.
#pragma once

#include <vector>

#include "rotated_services.hpp"
#include "rules.hpp"

namespace arizuko::engine {

class Rotated final : public RotatedServices, Rules {
 public:
  using Rules::Rules;

  const plan::Plan& plan() const override { return *services_.plan(); }
  const Dependencies& dependencies() const override { return services_.dependencies(); }
  Instant now() const override { return services_.now(); }
  Standing standing(ServiceId id) const override;
  bool would_see_others(ServiceId id, const env::Snapshot& values) const override;
  bool runs_with(ServiceId id, const env::SnapshotPtr& values) const override;
  std::vector<ServiceId> up_and_bound(ServiceId id) const override { return services_.up_and_bound(id); }
  Cause last_failure(ServiceId id) const override { return services_.run(id).restarts.failure; }
  Cause told(ServiceId id) const override;
  void values_changed() override;
  void follow(ServiceId id, const Cause& cause) override;
  void restart(ServiceId id, const Cause& cause) override;
  void leave(ServiceId id) override;
  void start_again(ServiceId id) override;
  void explain_start(ServiceId id, const Cause& why) override;
  void emit(Action action) override { services_.emit(std::move(action)); }
  void note(Note note) override { services_.record().note(std::move(note)); }
};

}  // namespace arizuko::engine
