#include "arizuko/env/reach.hpp"

#include <algorithm>

namespace arizuko::env {

std::string_view to_text(Way way) {
  switch (way) {
    case Way::common: return "common";
    case Way::take: return "take";
    case Way::need: return "need";
    case Way::in_env: return "env";
    case Way::enabled_when: return "enabled_when";
  }
  return "";
}

std::vector<Reach> reaches(const plan::Plan& plan, const plan::Service& service) {
  std::vector<Reach> all;
  const auto add = [&](const plan::Taken& taken, Way way) {
    const bool set =
        std::ranges::any_of(service.env, [&](const auto& each) { return each.first == taken.name; });
    const bool known = std::ranges::find(all, taken.name, &Reach::name) != all.end();
    if (!set && !known) all.push_back({taken.name, taken.key, way, false});
  };
  for (const plan::Taken& each : service.need) add(each, Way::need);
  for (const plan::Taken& each : service.take) add(each, Way::take);
  for (const std::string& name : plan.env.common) add(plan::Taken(name), Way::common);
  for (const auto& [name, value] : service.env) {
    plan::each_reference(value, [&](const plan::EnvReference& reference) {
      all.push_back({name, reference.name, Way::in_env, reference.fallback.has_value()});
    });
  }
  for (const plan::AnyOf& any : service.enabled_when) {
    for (const plan::EnabledWhen& condition : any)
      all.push_back({"", condition.name, Way::enabled_when, false});
  }
  return all;
}

std::string source_text(const plan::Plan& plan, const Reach& reach, const Snapshot& snapshot) {
  const auto found = snapshot.values.find(reach.key);
  const bool set = found != snapshot.values.end();
  if (set && !found->second.text.empty()) return found->second.source;
  if (reach.has_default) return "default of the plan";
  if (plan.env.generates(reach.key)) return "nowhere, until run generates it";
  if (set) return found->second.source + ", empty";
  const auto unusable = snapshot.unusable.find(reach.key);
  return unusable == snapshot.unusable.end() ? "nowhere" : "nowhere: " + unusable->second;
}

}  // namespace arizuko::env
