// The plan's ports: free, or held by this very instance.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include "arizuko/doctor/checks.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/host/listeners.hpp"
#include "arizuko/host/process_table.hpp"
#include "files.hpp"
#include "holder.hpp"

namespace arizuko::doctor {

namespace {

struct Wanted {
  std::string key;      // "service.gated.port"
  std::string address;  // where a connection would go
  std::uint16_t port;
  plan::Location where;
};

std::vector<Wanted> wanted_ports(const Context& context) {
  std::vector<Wanted> wanted;
  const plan::Pod& pod = context.plan.pod;
  if (pod.probes) wanted.push_back({"pod.probes", pod.probes->ip, pod.probes->port, {}});
  if (pod.page) wanted.push_back({"pod.page", pod.page->ip, pod.page->port, {}});
  for (const plan::Service& each : context.plan.services) {
    if (each.port != 0 && each.enabled && env::enabled(each, context.snapshot))
      wanted.push_back({fmt::format("service.{}.port", each.name), "127.0.0.1", each.port, each.where});
  }
  return wanted;
}

/// Whose process it is, by the mark that every child of arizuko-init carries; empty when nobody's, or when
/// we may not look.
std::string mark_of(pid_t pid) {
  constexpr std::size_t longest = 1024 * 1024;
  const std::string environment = read_bounded(fmt::format("/proc/{}/environ", pid), longest).value_or("");
  const std::string name = fmt::format("{}=", host::mark_variable);
  for (std::size_t at = 0; at < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    const std::string_view entry = std::string_view(environment).substr(at, end - at);
    if (entry.starts_with(name)) return std::string(entry.substr(name.size()));
    at = end + 1;
  }
  return {};
}

/// Whether what the instance's processes hold can be seen by us: as the same user or root, in its namespace.
bool sees(const LockHolder& instance) {
  return instance.pid && ::access(fmt::format("/proc/{}/fd", *instance.pid).c_str(), R_OK) == 0;
}

bool is_of_an_instance(const host::Holder& holder) {
  return holder.name == "arizuko-init" || !mark_of(holder.pid).empty();
}

/// True for arizuko-init itself and its children. Where they cannot be seen, one who does not show himself
/// beside a running instance is taken for one of them; where they can, he is somebody else.
bool is_ours(const std::optional<host::Holder>& holder, const std::optional<LockHolder>& instance) {
  if (!instance) return false;
  if (!holder) return !sees(*instance);
  return holder->pid == instance->pid || is_of_an_instance(*holder);
}

}  // namespace

Findings check_ports(const Context& context) {
  const auto instance = lock_holder(context.plan.pod.data_dir);
  Findings found;
  std::size_t held_by_us = 0;
  std::size_t held_by_another = 0;
  for (const Wanted& each : wanted_ports(context)) {
    const std::vector<std::uint64_t> sockets = host::tcp_listeners(each.address, each.port);
    if (sockets.empty()) continue;
    const auto holder = host::find_holder(sockets);
    if (is_ours(holder, instance)) {
      ++held_by_us;
      continue;
    }
    if (holder && is_of_an_instance(*holder)) {
      ++held_by_another;
      continue;
    }
    const std::string who = holder ? fmt::format("{} (pid {})", holder->name, holder->pid)
                                   : "a process that cannot be seen from here (another user or container)";
    add(found, Severity::error, "ports", each.where, each.key,
        fmt::format("port {} is held by {}", each.port, who),
        "gated, timed and onbod run on without their port, deaf; the others exit (T1, T7)",
        "end that process, or give another port in a drop-in");
  }
  if (held_by_another > 0) {
    add(found, Severity::error, "ports", {}, "",
        fmt::format(
            "{} of the plan's ports are held by an instance that runs on another data directory than {}",
            held_by_another, context.plan.pod.data_dir),
        "either doctor was asked with other words than `run` was given, or there are two instances on one "
        "host, which "
        "want the same ports",
        "ask again with the --rehearse, --plan and --set of that `run`; two instances go into a container "
        "each");
  }
  if (held_by_us > 0) {
    add(found, Severity::note, "ports", {}, "",
        fmt::format("{} of the plan's ports are held by the running instance itself", held_by_us), "", "");
  }
  return found;
}

}  // namespace arizuko::doctor
