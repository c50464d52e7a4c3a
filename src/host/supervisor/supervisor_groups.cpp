// Control groups of the services, and what the kernel did to them for want of memory.
#include <csignal>

#include <sys/wait.h>

#include <fmt/format.h>

#include "arizuko/plan/show.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

void Supervisor::Impl::begin_groups() {
  if (options.groups) table.use(*options.groups);
  if (!group_facts().has("memory")) {
    own_memory.emplace();
    own_memory_kills_seen = own_memory->kills().value_or(0);
    return;
  }
  memory_events.emplace(io, [this](const std::string& name) {
    if (const std::uint64_t killed = new_memory_kills(name); killed != 0) log_memory_kills(name, killed);
  });
}

// Without its group a service runs just as well, but for its limits: that is told, and no failure.
std::expected<GroupDirectory, SpawnError> Supervisor::Impl::group_of(const plan::Service& what) {
  if (!options.groups) return GroupDirectory();
  auto opened = options.groups->open(what.name, what.group);
  if (!opened && opened.error().stage == SpawnStage::emptying_the_control_group) return opened;
  tell_group_trouble(what.name, opened ? options.groups->trouble() : to_text(opened.error()));
  if (!opened) return GroupDirectory();
  if (opened->fresh()) {
    memory_kills_seen[what.name] = 0;
    if (memory_events) memory_events->watch(what.name, options.groups->file(what.name, "memory.events"));
  }
  return opened;
}

void Supervisor::Impl::tell_group_trouble(const std::string& name, const std::string& trouble) {
  std::string& told = group_troubles[name];
  if (trouble == told) return;
  told = trouble;
  if (!trouble.empty()) log(Level::warn, fmt::format("{}: its control group: {}", name, trouble));
}

std::uint64_t Supervisor::Impl::new_memory_kills(const std::string& name) {
  const std::uint64_t now = options.groups->memory_kills(name);
  const std::uint64_t before = std::exchange(memory_kills_seen[name], now);
  return now > before ? now - before : 0;
}

void Supervisor::Impl::log_memory_kills(const std::string& name, std::uint64_t killed) {
  const auto id = engine.plan()->find(name);
  const std::string limits = id ? plan::to_text(service(*id).group) : "";
  log(Level::warn,
      fmt::format("{}: the kernel has killed {} for want of memory{}", name,
                  killed == 1 ? "one of its processes" : fmt::format("{} of its processes", killed),
                  limits.empty() ? "" : fmt::format(" ({})", limits)));
}

// Where there are no groups, as in a pod, the container's own count is evidence enough: something in it was
// killed for want of memory since the last such look, and this was killed.
bool Supervisor::Impl::ended_for_want_of_memory(const std::string& name, int wait_status) {
  const bool killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
  if (memory_events) {
    const std::uint64_t kills = new_memory_kills(name);
    const std::uint64_t others = kills - (killed && kills != 0 ? 1 : 0);
    if (others != 0) log_memory_kills(name, others);
    return killed && kills != 0;
  }
  if (!killed) return false;
  const std::uint64_t now = own_memory->kills().value_or(0);
  return now > std::exchange(own_memory_kills_seen, now);
}

void Supervisor::Impl::report_limits(const plan::Plan& plan) {
  for (const IdleLimits& idle : limits_without_effect(plan, group_facts())) {
    log(Level::warn, fmt::format("{}: {} without effect: {}", plan.services[idle.service].name,
                                 plan::to_text(idle.limits), idle.why));
  }
}

GroupFacts Supervisor::Impl::group_facts() const {
  return options.groups ? options.groups->facts() : GroupFacts{"", {}, options.groups.error()};
}

// ---------------------------------------------------------------------------------------------

GroupFacts Supervisor::control_groups() const { return impl_->group_facts(); }
std::optional<AgentsFacts> Supervisor::agents() const { return read_agents_facts(plan().pod.data_dir); }

std::optional<GroupUsage> Supervisor::usage(plan::ServiceId service) const {
  const auto& groups = impl_->options.groups;
  return groups ? groups->usage(impl_->service(service).name) : std::nullopt;
}

}  // namespace arizuko::host
