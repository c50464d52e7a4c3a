// Services: proxyd's port and nothing else (0.4, T17, T18).
#include <algorithm>

#include "known.hpp"
#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

/// Every label that the Service asks for is the pod's.
bool selects(yaml::Value selector, yaml::Value labels) {
  const auto wanted = selector.entries();
  return !wanted.empty() && std::ranges::all_of(wanted, [&](const auto& each) {
    return labels[each.first].is_text() && labels[each.first].text() == each.second.text();
  });
}

std::string why_not(const PodView& pod, std::int64_t port, std::string_view holder) {
  if (holder == "gated")
    return "gated's API would be published: whoever knows CHANNEL_SECRET, or with ARIZUKO_DEV anybody, "
           "speaks as any channel (0.4)";
  const bool today = !has_program(pod.plan, "gated");
  if (holder == "dashd" && !today)
    return "dashd believes any X-User-Sub header: whoever reaches it is operator (T17)";
  if (holder == "timed" && today)
    return "timed believes any X-User-Groups header: whoever reaches it reads all tasks and their prompts "
           "(N3)";
  if (!holder.empty()) return "it has no sign-in of its own: proxyd does that";
  if (pod.plan.pod.probes && pod.plan.pod.probes->port == port)
    return "anybody could read the names and states of all services";
  return "nobody listens there: connections are refused";
}

/// A port that another container of the pod says is its own: a sign-in proxy, a metrics exporter.
bool is_of_another(const PodView& pod, yaml::Value target) {
  const auto has = [&](yaml::Value container) {
    return std::ranges::any_of(container["ports"].items(), [&](yaml::Value port) {
      return target.is_number() ? port["containerPort"].number(0) == target.number(0)
                                : port["name"].is_text() && port["name"].text() == target.text();
    });
  };
  if (has(pod.workload.container)) return false;
  for (const char* key : {"containers", "initContainers"}) {
    if (std::ranges::any_of(pod.workload.pod[key].items(), has)) return true;
  }
  return false;
}

void check_port(const PodView& pod, const Resource& service, yaml::Value entry, std::int64_t proxy,
                Findings& found) {
  const yaml::Value target = entry["targetPort"] ? entry["targetPort"] : entry["port"];
  const std::string key = fmt::format("<- Service/{} targetPort", service.name);
  const auto add = [&](Severity severity, std::string_view what, std::string_view why) {
    pod.add(found, severity, "service", target, key, what, why,
            fmt::format("point it at proxyd's port, {}", proxy));
  };
  const auto port = port_number(pod.workload.container, target);
  if (is_of_another(pod, target)) return;
  if (!port)
    return add(Severity::error, fmt::format("no port of the container is called {}", target.text()),
               "connections are refused");
  if (*port == proxy) return;
  const auto holder = std::ranges::find(pod.plan.services, *port, &plan::Service::port);
  const std::string name = holder == pod.plan.services.end() ? "" : holder->name;
  const bool is_probe_port = pod.plan.pod.probes && pod.plan.pod.probes->port == *port;
  const std::string type = service.root["spec"]["type"].text();
  const bool inside = type.empty() || type == "ClusterIP";
  // A ClusterIP in front of /metrics is how Prometheus finds it.
  if (is_probe_port && inside) return;
  add(is_probe_port ? Severity::warning : Severity::error,
      is_probe_port  ? fmt::format("{} is the probe port, and the Service is a {}", *port, type)
      : name.empty() ? fmt::format("{} is no port of the plan", *port)
                     : fmt::format("{} is {}'s port", *port, name),
      why_not(pod, *port, name));
}

}  // namespace

Findings check_services(const PodView& pod) {
  const auto proxyd = pod.plan.find("proxyd");
  if (!proxyd) return {};
  Findings found;
  for (const Resource& each : pod.manifest.resources) {
    const yaml::Value spec = each.root["spec"];
    if (each.kind != "Service" || !same_namespace(each.space, pod.workload.resource.space) ||
        !selects(spec["selector"], pod.workload.labels))
      continue;
    for (const yaml::Value port : spec["ports"].items())
      check_port(pod, each, port, pod.plan.services[*proxyd].port, found);
  }
  return found;
}

}  // namespace arizuko::doctor
