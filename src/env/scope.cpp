#include "arizuko/env/scope.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::env {
namespace {

// An empty value is passed on: it keeps the .env reader of a daemon from filling the name in (T14).
void give(Environment& environment, const std::string& name, const std::string* value) {
  if (value != nullptr) environment[name] = *value;
}

bool is_complete(const plan::Template& item, const Snapshot& snapshot) {
  bool complete = true;
  plan::each_reference(item, [&](const plan::EnvReference& reference) {
    complete = complete && (reference.fallback || snapshot.has(reference.name));
  });
  return complete;
}

std::string join(const plan::Joined& joined, const Snapshot& snapshot) {
  std::string result;
  bool first = true;
  for (const plan::Template& item : joined.items) {
    if (!is_complete(item, snapshot)) continue;
    if (!std::exchange(first, false)) result += joined.separator;
    result += expand(item, snapshot);
  }
  return result;
}

bool is_met(const plan::EnabledWhen& condition, const Snapshot& snapshot) {
  if (!condition.value) return snapshot.has(condition.name);
  const std::string* value = snapshot.find(condition.name);
  return value == nullptr ? condition.value->empty() : *value == *condition.value;
}

bool is_any_met(const plan::AnyOf& any, const Snapshot& snapshot) {
  return std::ranges::any_of(any, [&](const auto& condition) { return is_met(condition, snapshot); });
}

std::string why_not_met(const plan::EnabledWhen& condition, const Snapshot& snapshot) {
  const std::string* value = snapshot.find(condition.name);
  if (value == nullptr) return condition.name + " is not set";
  if (value->empty()) return condition.name + " is empty";
  // What it is instead may be a secret; what it should be stands in the plan.
  return fmt::format("{} is not \"{}\"", condition.name, condition.value.value_or(""));
}

std::string why_none_met(const plan::AnyOf& any, const Snapshot& snapshot) {
  std::vector<std::string> names;
  std::vector<std::string> reasons;
  for (const plan::EnabledWhen& condition : any) {
    if (!condition.value) names.push_back(condition.name);
    reasons.push_back(why_not_met(condition, snapshot));
  }
  if (names.size() == any.size()) return fmt::format("none of {} is set", fmt::join(names, ", "));
  return fmt::format("{}", fmt::join(reasons, ", and "));
}

}  // namespace

std::string expand(const plan::Template& text, const Snapshot& snapshot) {
  std::string result;
  for (const auto& part : text.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      result += *literal;
      continue;
    }
    const auto& reference = std::get<plan::EnvReference>(part);
    if (snapshot.has(reference.name)) {
      result += *snapshot.find(reference.name);
    } else if (reference.fallback) {
      result += *reference.fallback;
    }
  }
  return result;
}

std::string expand(const plan::EnvValue& value, const Snapshot& snapshot) {
  if (const auto* text = std::get_if<plan::Template>(&value)) return expand(*text, snapshot);
  return join(std::get<plan::Joined>(value), snapshot);
}

Environment compose(const plan::Plan& plan, const plan::Service& service, const Snapshot& snapshot) {
  Environment environment;
  for (const std::string& name : plan.env.common) give(environment, name, snapshot.find(name));
  for (const auto& [name, key] : service.take) give(environment, name, snapshot.find(key));
  for (const auto& [name, key] : service.need) give(environment, name, snapshot.find(key));
  for (const auto& [name, text] : service.env) {
    std::string value = expand(text, snapshot);
    if (value.empty()) {
      environment.erase(name);  // `env` wins also when it says nothing: the daemon's default holds
    } else {
      environment[name] = std::move(value);
    }
  }
  std::string& path = environment["PATH"];
  if (path.empty()) path = plan.pod.path;
  return environment;
}

bool enabled(const plan::Service& service, const Snapshot& snapshot) {
  return std::ranges::all_of(service.enabled_when,
                             [&](const plan::AnyOf& any) { return is_any_met(any, snapshot); });
}

std::string why_disabled(const plan::Service& service, const Snapshot& snapshot) {
  for (const plan::AnyOf& any : service.enabled_when) {
    if (is_any_met(any, snapshot)) continue;
    return any.size() == 1 ? why_not_met(any.front(), snapshot) : why_none_met(any, snapshot);
  }
  return {};
}

std::vector<std::string> missing(const plan::Service& service, const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const plan::Taken& needed : service.need) {
    const bool lacks = !snapshot.has(needed.key);
    if (lacks && std::ranges::find(names, needed.key) == names.end()) names.push_back(needed.key);
  }
  return names;
}

std::vector<std::string> missing_for_run(const plan::Plan& plan, const plan::Service& service,
                                         const Snapshot& snapshot) {
  std::vector<std::string> names = missing(service, snapshot);
  std::erase_if(names, [&](const std::string& key) { return plan.env.generates(key); });
  return names;
}

std::string as_needed(const plan::Service& service, std::string_view key) {
  std::vector<std::string> names;
  for (const plan::Taken& needed : service.need) {
    if (needed.key == key) names.push_back(needed.name);
  }
  if (names.empty() || std::ranges::find(names, key) != names.end()) return std::string(key);
  return fmt::format("{} (as {})", key, fmt::join(names, ", "));
}

std::optional<std::string> seen_as(const plan::Plan& plan, std::string_view name, const Snapshot& snapshot) {
  std::vector<std::optional<std::string>> seen;
  const auto add = [&](std::optional<std::string> text) {
    if (std::ranges::find(seen, text) == seen.end()) seen.push_back(std::move(text));
  };
  for (const plan::Service& service : plan.services) {
    if (service.kind != plan::Kind::service) continue;
    const auto own = std::ranges::find(service.env, name, [](const auto& each) { return each.first; });
    if (own != service.env.end()) {
      std::string text = expand(own->second, snapshot);
      add(text.empty() ? std::nullopt : std::optional(std::move(text)));
      continue;
    }
    const plan::Taken* taken = plan::given_as(service, name);
    const auto add_key = [&](std::string_view key) {
      const std::string* text = snapshot.find(key);
      add(text != nullptr ? std::optional(*text) : std::nullopt);
    };
    if (taken != nullptr) add_key(taken->key);
    const bool by_its_key = taken != nullptr && taken->key == name;
    if (!by_its_key && std::ranges::binary_search(scope(plan, service), name)) add_key(name);
  }
  if (seen.empty()) {
    const std::string* text = snapshot.find(name);
    return text != nullptr ? std::optional(*text) : std::nullopt;
  }
  if (seen.size() == 1) return seen.front();
  std::string all;
  for (const std::optional<std::string>& each : seen) all += each.value_or("") + '\n';
  return all;
}

std::vector<std::string> made_of(const plan::Plan& plan, std::string_view name) {
  std::vector<std::string> keys = {std::string(name)};
  for (const plan::Service& service : plan.services) {
    if (service.kind != plan::Kind::service) continue;
    if (const plan::Taken* taken = plan::given_as(service, name); taken != nullptr && taken->key != name)
      keys.push_back(taken->key);
    for (const auto& [own, value] : service.env) {
      if (own != name) continue;
      plan::each_reference(value, [&](const auto& reference) { keys.push_back(reference.name); });
    }
  }
  return keys;
}

Snapshot seen_values(const plan::Plan& plan, const std::vector<std::string>& names,
                     const Snapshot& snapshot) {
  Snapshot seen;
  for (const std::string& name : names) {
    if (auto text = seen_as(plan, name, snapshot))
      seen.values[name] = {.text = std::move(*text), .source = ""};
  }
  return seen;
}

std::vector<std::string> scope(const plan::Plan& plan, const plan::Service& service) {
  std::vector<std::string> names = plan.env.common;
  for (const plan::Taken& taken : service.take) names.push_back(taken.key);
  for (const plan::Taken& needed : service.need) names.push_back(needed.key);
  for (const auto& [name, value] : service.env)
    plan::each_reference(value, [&](const auto& reference) { names.push_back(reference.name); });
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace arizuko::env
