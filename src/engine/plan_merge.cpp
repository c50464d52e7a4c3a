#include "plan_merge.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>

namespace arizuko::engine {

namespace {

// What a running process or its watches depend on; the rest of a definition can change under it.
bool same_process(plan::Service before, const plan::Service& after) {
  before.description = after.description;
  before.group_name = after.group_name;
  before.enabled = after.enabled;
  before.enabled_when = after.enabled_when;
  before.after = after.after;
  before.after_tried = after.after_tried;
  before.bound_to = after.bound_to;
  before.restart = after.restart;
  before.stop = after.stop;
  before.essential = after.essential;
  before.ready_within = after.ready_within;
  before.on_change = after.on_change;
  before.change_signal = after.change_signal;
  before.drop = after.drop;
  // Values are compared by what comes out of them (follow_values).
  before.take = after.take;
  before.need = after.need;
  before.env = after.env;
  before.cached = after.cached;
  return before == after;
}

// The number that each service of `fresh` gets.
std::vector<ServiceId> numbers_of(const plan::Plan& running, const plan::Plan& fresh) {
  std::vector<ServiceId> numbers;
  auto next = static_cast<ServiceId>(running.services.size());
  for (const plan::Service& each : fresh.services) {
    const auto same = std::ranges::find_if(running.services, [&](const plan::Service& old) {
      return old.name == each.name && old.kind == each.kind;
    });
    const bool known = same != running.services.end();
    numbers.push_back(known ? static_cast<ServiceId>(same - running.services.begin()) : next++);
  }
  return numbers;
}

plan::Service switched_off(plan::Service gone) {
  gone.enabled = false;
  gone.after.clear();
  gone.bound_to.clear();
  gone.after_tried.clear();
  return gone;
}

}  // namespace

MergedPlan merge_plans(const plan::Plan& running, const plan::Plan& fresh) {
  const std::vector<ServiceId> numbers = numbers_of(running, fresh);
  const auto renumber = [&](std::vector<ServiceId>& list) {
    for (ServiceId& id : list) id = numbers[id];
  };
  plan::Plan merged = fresh;
  merged.services.clear();
  for (const plan::Service& each : running.services) merged.services.push_back(switched_off(each));
  std::vector<ServiceId> changed;
  for (ServiceId id = 0; id < fresh.services.size(); ++id) {
    plan::Service each = fresh.services[id];
    renumber(each.after);
    renumber(each.bound_to);
    renumber(each.after_tried);
    const ServiceId number = numbers[id];
    if (number == merged.services.size()) {
      merged.services.push_back(std::move(each));
      continue;
    }
    if (!same_process(running.services[number], each)) changed.push_back(number);
    merged.services[number] = std::move(each);
  }
  renumber(merged.pod.ready_when);
  return {std::make_shared<const plan::Plan>(std::move(merged)), std::move(changed)};
}

std::string what_changed(const plan::Plan& before, const MergedPlan& merged) {
  const plan::Plan& after = *merged.plan;
  constexpr std::size_t most_named = 20;
  std::map<std::string_view, std::vector<std::string>> lists;
  const auto restarts = [&](ServiceId id) {
    return std::ranges::find(merged.changed, id) != merged.changed.end();
  };
  for (ServiceId id = 0; id < after.services.size(); ++id) {
    const plan::Service& each = after.services[id];
    if (id >= before.services.size()) {
      lists["new"].push_back(each.name);
    } else if (each != before.services[id]) {
      const bool gone = before.services[id].enabled && !each.enabled;
      lists[gone ? "off" : "changed"].push_back(each.name + (restarts(id) && !gone ? " (restarts)" : ""));
    }
  }
  std::string text;
  for (auto& [what, names] : lists) {
    const std::size_t more = names.size() > most_named ? names.size() - most_named : 0;
    names.resize(names.size() - more);
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", what, fmt::join(names, ", "));
    if (more > 0) text += fmt::format(" and {} more", more);
  }
  return text.empty() ? "no definition of a service or task changed" : text;
}

}  // namespace arizuko::engine
