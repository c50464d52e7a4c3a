#include "known.hpp"

#include <algorithm>

namespace arizuko::doctor {

std::vector<const plan::Service*> running(const Context& context) {
  std::vector<const plan::Service*> found;
  for (const plan::Service& each : context.plan.services) {
    if (each.enabled && env::enabled(each, context.snapshot)) found.push_back(&each);
  }
  return found;
}

bool matters(const plan::Plan& plan, const plan::Service& service) {
  const auto id = plan.find(service.name);
  return service.essential ||
         (id && std::ranges::find(plan.pod.ready_when, *id) != plan.pod.ready_when.end());
}

std::string_view program_name(const plan::Service& service) {
  const std::string_view program = service.command.empty() ? std::string_view{} : service.command.front();
  return program.substr(program.rfind('/') + 1);  // npos + 1 is 0
}

std::string value_of(const env::Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string{} : found->second;
}

bool is_on(const env::Environment& environment, const std::string& name) {
  const std::string value = value_of(environment, name);
  return value == "true" || value == "1";
}

plan::Location source_of(const Context& context, std::string_view name) {
  const auto found = context.snapshot.values.find(name);
  if (found == context.snapshot.values.end()) return {};
  return {found->second.source, 0, 0};
}

}  // namespace arizuko::doctor
