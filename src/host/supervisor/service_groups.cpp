#include "service_groups.hpp"

#include <utility>

#include <fmt/format.h>

#include "arizuko/plan/show.hpp"

namespace arizuko::host {

void ServiceGroups::use(std::expected<ControlGroups, std::string> groups) {
  if (groups) {
    groups_.emplace(std::move(*groups));
  } else {
    groups_ = std::unexpected(std::move(groups.error()));
  }
}

void ServiceGroups::begin(ProcessTable& table) {
  if (groups_) {
    table.use({.service_of = [this](pid_t pid) { return groups_->service_of(pid); },
               .kill = [this](const std::string& service) { groups_->kill(service); }});
  }
  kills_.emplace(context_.io, facts().has("memory") ? &*groups_ : nullptr,
                 [this](const std::string& service, std::uint64_t killed) { tell_kills(service, killed); });
}

std::expected<GroupDirectory, SpawnError> ServiceGroups::open(const plan::Service& service) {
  if (!groups_) return GroupDirectory();
  auto opened = groups_->open(service.name, service.group);
  if (!opened && opened.error().stage == SpawnStage::emptying_the_control_group) return opened;
  tell_trouble(service.name, opened ? groups_->trouble() : to_text(opened.error()));
  if (!opened) return GroupDirectory();
  if (opened->fresh()) kills_->begin(service.name);
  return opened;
}

void ServiceGroups::tell_trouble(const std::string& service, const std::string& trouble) {
  std::string& told = troubles_[service];
  if (trouble == told) return;
  told = trouble;
  if (!trouble.empty())
    context_.reporter.log(Level::warn, fmt::format("{}: its control group: {}", service, trouble));
}

bool ServiceGroups::ended_out_of_memory(const std::string& service, int wait_status) {
  return kills_->ended_main(service, wait_status);
}

void ServiceGroups::tell_kills(const std::string& service, std::uint64_t killed) const {
  const plan::Plan& plan = *context_.engine.plan();
  const auto id = plan.find(service);
  const std::string limits = id ? plan::to_text(plan.services[*id].group) : "";
  context_.reporter.log(Level::warn, fmt::format("{}: the kernel OOM-killed {}{}", service,
                                                 killed == 1 ? "one of its processes"
                                                             : fmt::format("{} of its processes", killed),
                                                 limits.empty() ? "" : fmt::format(" ({})", limits)));
}

void ServiceGroups::tell_idle_limits(const plan::Plan& plan) const {
  for (const IdleLimits& idle : limits_without_effect(plan, facts())) {
    context_.reporter.log(Level::warn,
                          fmt::format("{}: {} without effect: {}", plan.services[idle.service].name,
                                      plan::to_text(idle.limits), idle.why));
  }
}

GroupFacts ServiceGroups::facts() const {
  return groups_ ? groups_->facts() : GroupFacts{"", {}, groups_.error()};
}

std::optional<GroupUsage> ServiceGroups::usage(const std::string& service) const {
  return groups_ ? groups_->usage(service) : std::nullopt;
}

void ServiceGroups::remove() {
  if (groups_) groups_->remove();
}

}  // namespace arizuko::host
