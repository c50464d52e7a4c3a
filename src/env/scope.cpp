#include "arizuko/env/scope.hpp"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

namespace arizuko::env {
namespace {

void take(Environment& environment, const std::vector<std::string>& names, const Snapshot& snapshot) {
  for (const std::string& name : names) {
    // An empty value is passed on: it keeps the .env reader of a daemon from filling the name in (T14).
    if (const std::string* value = snapshot.find(name)) environment[name] = *value;
  }
}

bool is_met(const plan::EnabledWhen& condition, const Snapshot& snapshot) {
  if (!condition.value) return snapshot.has(condition.name);
  const std::string* value = snapshot.find(condition.name);
  return value == nullptr ? condition.value->empty() : *value == *condition.value;
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

Environment compose(const plan::Plan& plan, const plan::Service& service, const Snapshot& snapshot) {
  Environment environment;
  take(environment, plan.env.common, snapshot);
  take(environment, service.take, snapshot);
  take(environment, service.need, snapshot);
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
                             [&](const auto& condition) { return is_met(condition, snapshot); });
}

std::string why_disabled(const plan::Service& service, const Snapshot& snapshot) {
  for (const plan::EnabledWhen& condition : service.enabled_when) {
    if (is_met(condition, snapshot)) continue;
    const std::string* value = snapshot.find(condition.name);
    if (value == nullptr) return condition.name + " is not set";
    if (value->empty()) return condition.name + " is empty";
    // What it is instead may be a secret; what it should be stands in the plan.
    return fmt::format("{} is not \"{}\"", condition.name, condition.value.value_or(""));
  }
  return {};
}

std::vector<std::string> missing(const plan::Service& service, const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const std::string& name : service.need) {
    if (!snapshot.has(name)) names.push_back(name);
  }
  return names;
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
    const std::vector<std::string> names = scope(plan, service);
    if (!std::ranges::binary_search(names, name)) continue;
    const std::string* text = snapshot.find(name);
    add(text != nullptr ? std::optional(*text) : std::nullopt);
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
    for (const auto& [own, text] : service.env) {
      if (own != name || service.kind != plan::Kind::service) continue;
      for (const auto& part : text.parts) {
        if (const auto* reference = std::get_if<plan::EnvReference>(&part)) keys.push_back(reference->name);
      }
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
  names.insert(names.end(), service.take.begin(), service.take.end());
  names.insert(names.end(), service.need.begin(), service.need.end());
  for (const auto& [name, text] : service.env) {
    for (const auto& part : text.parts) {
      if (const auto* reference = std::get_if<plan::EnvReference>(&part)) names.push_back(reference->name);
    }
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace arizuko::env
