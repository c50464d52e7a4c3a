#include "arizuko/plan/plan.hpp"

#include <algorithm>
#include <tuple>

namespace arizuko::plan {

Template literal(std::string text) {
  Template out;
  if (!text.empty()) out.parts.emplace_back(std::move(text));
  return out;
}

bool Service::operator==(const Service& other) const {
  const auto all = [](const Service& s) {
    return std::tie(s.name, s.kind, s.description, s.group_name, s.command, s.executable, s.cwd, s.port,
                    s.after, s.bound_to, s.after_tried, s.enabled, s.enabled_when, s.take, s.need, s.env,
                    s.cached, s.ready, s.ready_within, s.live, s.essential, s.restart, s.stop, s.on_change,
                    s.change_signal, s.drop, s.creates, s.verify, s.nofile, s.group, s.uid, s.gid, s.umask);
  };
  return all(*this) == all(other);
}

const Taken* given_as(const Service& service, std::string_view name) {
  for (const auto* list : {&service.need, &service.take}) {
    const auto taken = std::ranges::find(*list, name, &Taken::name);
    if (taken != list->end()) return &*taken;
  }
  return nullptr;
}

bool is_switched_by(const Service& service, std::string_view key) {
  return std::ranges::any_of(service.enabled_when, [&](const AnyOf& any) {
    return std::ranges::find(any, key, &EnabledWhen::name) != any.end();
  });
}

bool EnvPolicy::generates(std::string_view key) const {
  return std::ranges::find(generated, key, &Generated::key) != generated.end();
}

std::optional<ServiceId> Plan::find(std::string_view name) const {
  const auto found = std::ranges::find(services, name, &Service::name);
  if (found == services.end()) return std::nullopt;
  return static_cast<ServiceId>(found - services.begin());
}

std::string to_text(const Source& source) {
  switch (source.kind) {
    case Source::Kind::environment: return std::string(Source::environment_name);
    case Source::Kind::dotenv: return "dotenv:" + source.path;
    case Source::Kind::directory: return "dir:" + source.path;
    case Source::Kind::generated: return "generated:" + source.path;
  }
  return "";
}

std::string to_text(const Taken& taken) {
  return taken.name == taken.key ? taken.name : taken.name + " = " + taken.key;
}

}  // namespace arizuko::plan
