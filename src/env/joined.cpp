#include "arizuko/env/joined.hpp"

#include <string>

#include <fmt/format.h>

namespace arizuko::env {
namespace {

void refuse_in(const std::string& name, const plan::Joined& joined, Snapshot& snapshot) {
  for (const plan::Template& item : joined.items) {
    plan::each_reference(item, [&](const plan::EnvReference& reference) {
      const auto value = snapshot.values.find(reference.name);
      if (value == snapshot.values.end() || !value->second.text.contains(joined.separator)) return;
      snapshot.unusable.insert_or_assign(
          reference.name,
          fmt::format("the value holds \"{}\", which separates the values of {}; give it another",
                      joined.separator, name));
      snapshot.values.erase(value);
    });
  }
}

}  // namespace

void refuse_broken_lists(const plan::Plan& plan, Snapshot& snapshot) {
  for (const plan::Service& service : plan.services) {
    if (!service.enabled) continue;
    for (const auto& [name, value] : service.env) {
      if (const auto* joined = std::get_if<plan::Joined>(&value)) refuse_in(name, *joined, snapshot);
    }
  }
}

}  // namespace arizuko::env
