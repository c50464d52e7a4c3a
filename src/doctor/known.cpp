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

bool has_program(const plan::Plan& plan, std::string_view program) {
  return std::ranges::any_of(plan.services,
                             [&](const plan::Service& each) { return program_name(each) == program; });
}

namespace {

bool is_database_of(const plan::Plan& plan, std::string_view path) {
  return path.ends_with(".db") && path.starts_with(plan.pod.data_dir + '/');
}

std::vector<std::string> without_twins(std::vector<std::string> names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

}  // namespace

std::vector<std::string> databases(const Context& context) {
  std::vector<std::string> found = seeded_databases(context);
  const auto take = [&](const std::string& path) {
    if (is_database_of(context.plan, path)) found.push_back(path);
  };
  for (const plan::Service* each : running(context)) {
    std::ranges::for_each(each->verify, take);
    for (const auto& [name, value] : env::compose(context.plan, *each, context.snapshot)) take(value);
  }
  return without_twins(std::move(found));
}

std::vector<std::string> seeded_databases(const Context& context) {
  std::vector<std::string> found;
  for (const plan::Service* each : running(context)) {
    if (each->creates && is_database_of(context.plan, *each->creates)) found.push_back(*each->creates);
  }
  return without_twins(std::move(found));
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
