#include "guarded_keys.hpp"

#include <algorithm>
#include <memory>

#include "arizuko/env/scope.hpp"

namespace arizuko::engine {

bool sees(const plan::Plan& plan, const plan::Service& service, const std::string& key) {
  if (service.kind != plan::Kind::service) return false;
  const std::vector<std::string> scope = env::scope(plan, service);
  return std::ranges::binary_search(scope, key) ||
         std::ranges::any_of(service.env, [&](const auto& each) { return each.first == key; }) ||
         std::ranges::any_of(service.take, [&](const auto& each) { return each.name == key; }) ||
         std::ranges::any_of(service.need, [&](const auto& each) { return each.name == key; });
}

bool GuardedKeys::is_accepted(const std::string& key, const std::optional<std::string>& value) const {
  const auto accepted = accepted_.find(key);
  return accepted != accepted_.end() && accepted->second == value;
}

std::vector<Remember> GuardedKeys::before_run(const plan::Plan& plan, const plan::Service& service,
                                              const env::Snapshot& snapshot) {
  std::vector<Remember> fresh;
  for (const std::string& key : plan.env.guarded) {
    if (!sees(plan, service, key)) continue;
    const std::optional<std::string> value = env::seen_as(plan, key, snapshot);
    const auto known = used_.find(key);
    if (known != used_.end() && known->second == value) continue;
    used_[key] = value;
    fresh.push_back({key, std::make_shared<const env::Snapshot>(env::seen_values(plan, {key}, snapshot))});
  }
  return fresh;
}

bool GuardedKeys::blocks(const plan::Plan& plan, const std::string& key, const ValuesInForce& values) const {
  return values.unlike_last_run.contains(key) && !is_used(key) &&
         !is_accepted(key, env::seen_as(plan, key, *values.snapshot));
}

std::vector<std::string> GuardedKeys::unaccepted(const plan::Plan& plan, const plan::Service& service,
                                                 const ValuesInForce& values) const {
  std::vector<std::string> keys;
  for (const std::string& key : plan.env.guarded) {
    if (blocks(plan, key, values) && sees(plan, service, key)) keys.push_back(key);
  }
  return keys;
}

std::optional<std::string> GuardedKeys::changed_by(const plan::Plan& fresh, const plan::Plan& plan,
                                                   const env::Snapshot& snapshot) const {
  for (const std::string& key : fresh.env.guarded) {
    if (is_used(key) && env::seen_as(fresh, key, snapshot) != env::seen_as(plan, key, snapshot)) return key;
  }
  return std::nullopt;
}

}  // namespace arizuko::engine
