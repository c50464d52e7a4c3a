#include "arizuko/engine/engine.hpp"

#include "machine.hpp"
#include "plan_merge.hpp"

namespace arizuko::engine {

Engine::Engine(plan::Plan plan) : Engine(std::make_shared<const plan::Plan>(std::move(plan))) {}
Engine::Engine(PlanPtr plan, Bounds bounds) : machine_(std::make_unique<Machine>(std::move(plan), bounds)) {}
Engine::Engine(const Engine& other) : machine_(std::make_unique<Machine>(*other.machine_)) {}
Engine& Engine::operator=(const Engine& other) {
  if (this != &other) machine_ = std::make_unique<Machine>(*other.machine_);
  return *this;
}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

void Engine::handle(const Event& event, Instant now, std::vector<Action>& actions) {
  machine_->handle(event, now, actions);
}

std::optional<Instant> Engine::deadline() const { return machine_->deadline(); }
const View& Engine::view() const { return machine_->view; }
const PlanPtr& Engine::plan() const { return machine_->services.plan(); }
std::string Engine::why_not(const plan::Plan& fresh) const {
  const PlanPtr& running = machine_->services.plan();
  return machine_->values.why_not(*merge_plans(*running, fresh).plan, *running);
}
const env::SnapshotPtr& Engine::values() const { return machine_->values.snapshot(); }

}  // namespace arizuko::engine
