// The plan's ports: free, or held by this very instance.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include "arizuko/doctor/checks.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/host/process/listeners.hpp"
#include "arizuko/host/process/run_mark.hpp"
#include "files.hpp"
#include "holder.hpp"
#include "known.hpp"

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

/// Whether what the instance's processes hold can be seen by us: as the same user or root, in its namespace.
bool sees(const LockHolder& instance) {
  return instance.pid && ::access(fmt::format("/proc/{}/fd", *instance.pid).c_str(), R_OK) == 0;
}

/// Where the instance's processes cannot be seen, one who does not show himself beside it is taken for one of
/// them; where they can, he is somebody else.
host::RunOf whose(const std::optional<host::Holder>& holder, const std::optional<LockHolder>& instance,
                  std::uint32_t mark) {
  using enum host::RunOf;
  if (holder) return host::run_of(holder->pid, mark, instance ? instance->pid.value_or(0) : 0);
  return instance && !sees(*instance) ? untold : nobody;
}

std::string named(const std::optional<host::Holder>& holder) {
  return holder ? fmt::format("{} (pid {})", holder->name, holder->pid)
                : "a process that cannot be seen from here (another user or container)";
}

/// Those of the plan that log it and go on; today's router was not seen doing either.
std::string without_its_port(const plan::Plan& plan) {
  std::vector<std::string_view> deaf;
  for (const std::string_view each : {"gated", "timed", "onbod"})
    if (has_program(plan, each)) deaf.push_back(each);
  return fmt::format("{} without their port, deaf; others exit (T1, T7)",
                     deaf.empty() ? "some daemons run on" : fmt::format("{} run on", fmt::join(deaf, ", ")));
}

}  // namespace

Findings check_ports(const Context& context) {
  const auto instance = lock_holder(context.plan.pod.data_dir);
  const std::uint32_t mark = host::instance_mark(context.plan.pod.data_dir);
  Findings found;
  std::size_t held_by_us = 0;
  std::size_t held_by_another = 0;
  std::size_t untold = 0;
  for (const Wanted& each : wanted_ports(context)) {
    const std::vector<std::uint64_t> sockets = host::tcp_listeners(each.address, each.port);
    if (sockets.empty()) continue;
    const auto holder = host::find_holder(sockets);
    switch (whose(holder, instance, mark)) {
      case host::RunOf::living_run: ++held_by_us; break;
      case host::RunOf::another_instance: ++held_by_another; break;
      case host::RunOf::untold: ++untold; break;
      case host::RunOf::dead_run:
        add(found, Severity::error, "ports", each.where, each.key,
            fmt::format("port {} is held by {}, which an arizuko-init that is gone has left behind",
                        each.port, named(holder)),
            without_its_port(context.plan),
            fmt::format("end what it left: kill {}; then restart the service that wants the port",
                        holder->pid));
        break;
      case host::RunOf::nobody:
        add(found, Severity::error, "ports", each.where, each.key,
            fmt::format("port {} is held by {}", each.port, named(holder)), without_its_port(context.plan),
            "end that process, or give another port in a drop-in");
        break;
    }
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
  if (untold > 0) {
    add(found, Severity::note, "ports", {}, "",
        fmt::format(
            "{} of the plan's ports are held, it seems by the running instance: whose the processes are "
            "cannot be seen from here",
            untold),
        "", "ask inside its container, as root or as its user");
  }
  return found;
}

}  // namespace arizuko::doctor
