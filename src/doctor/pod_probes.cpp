// Probes: the right port, the right question, and the plan's patience.
#include <algorithm>
#include <array>

#include "arizuko/env/scope.hpp"
#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

enum class Ask { startup, live, ready };

struct ProbeKind {
  Ask ask;
  const char* key;
  const char* path;  // the one that answers it
};
constexpr std::array<ProbeKind, 3> kinds = {{{Ask::startup, "startupProbe", "/startupz"},
                                             {Ask::live, "livenessProbe", "/livez"},
                                             {Ask::ready, "readinessProbe", "/readyz"}}};

std::chrono::seconds patience(yaml::Value probe) {
  // Kubernetes: period 10 s, 3 failures, no delay.
  return std::chrono::seconds(probe["initialDelaySeconds"].number(0) +
                              probe["periodSeconds"].number(10) * probe["failureThreshold"].number(3));
}

std::string key_of(const ProbeKind& kind, std::string_view rest) {
  return fmt::format("{}.{}", kind.key, rest);
}

Findings check_missing(const PodView& pod, const ProbeKind& kind) {
  const yaml::Value container = pod.workload.container;
  switch (kind.ask) {
    case Ask::startup: return {};  // liveness by /livez does not need one
    case Ask::live:
      return pod.one(Severity::note, "probes", container, kind.key, "there is none",
                     "an arizuko-init that hangs is never restarted", "ask /livez on the plan's probe port");
    case Ask::ready:
      return pod.one(Severity::warning, "probes", container, kind.key, "there is none",
                     "the Service sends people to the pod before proxyd serves",
                     "ask /readyz on the plan's probe port");
  }
  return {};
}

Findings check_port(const PodView& pod, const ProbeKind& kind, yaml::Value action, std::string_view name) {
  const auto wrong = [&](std::string_view what, std::string_view why) {
    const std::string fix = pod.plan.pod.probes ? fmt::format("use port {}", pod.plan.pod.probes->port)
                                                : "set pod.probes in the plan, as 0.0.0.0:9090";
    const yaml::Value place = action["port"] ? action["port"] : action;
    return pod.one(Severity::error, "probes", place, key_of(kind, fmt::format("{}.port", name)), what, why,
                   fix);
  };
  if (!pod.plan.pod.probes)
    return wrong("the plan has no probe listener (pod.probes = \"off\")", "nobody answers");
  const plan::Address& probes = *pod.plan.pod.probes;
  const auto port = port_number(pod.workload.container, action["port"]);
  if (!port)
    return wrong(fmt::format("no port of the container is called {}", action["port"].text()),
                 "nobody answers");
  if (*port != probes.port) {
    const auto other = std::ranges::find(pod.plan.services, *port, &plan::Service::port);
    return wrong(other == pod.plan.services.end() ? fmt::format("nobody listens on {}", *port)
                                                  : fmt::format("{} is {}'s port", *port, other->name),
                 other == pod.plan.services.end()
                     ? "the probe never succeeds"
                     : "that daemon's health is not the pod's, and it may be down for a while");
  }
  if (probes.ip.starts_with("127.") || probes.ip == "::1") {
    return wrong(fmt::format("the plan's probe listener is on {}", probes.ip),
                 "the kubelet asks from outside of the pod");
  }
  return {};
}

Findings check_path(const PodView& pod, const ProbeKind& kind, yaml::Value get) {
  constexpr std::array<std::string_view, 5> known = {"/livez", "/readyz", "/startupz", "/health", "/metrics"};
  const std::string path = get["path"].is_text() ? get["path"].text() : "/";
  const auto found = [&](Severity severity, std::string_view what, std::string_view why) {
    return pod.one(severity, "probes", place_of(get, "path"), key_of(kind, "httpGet.path"), what, why,
                   fmt::format("use {}", kind.path));
  };
  if (path == kind.path) return {};
  if (std::ranges::find(known, path) == known.end())
    return found(Severity::error, fmt::format("there is no {}", path),
                 "arizuko-init answers 404: the probe never succeeds");
  const bool always_yes = path == "/livez" || path == "/health" || path == "/metrics";
  switch (kind.ask) {
    case Ask::live:
      if (always_yes) return {};
      return found(Severity::error, fmt::format("{} is asked for liveness", path),
                   "while a daemon is away the kubelet would kill the one who repairs it (T24)");
    case Ask::ready:
      return found(Severity::warning, fmt::format("{} is asked for readiness", path),
                   always_yes ? "it always says yes: people are sent to a pod that does not serve"
                              : "it never says no again after the first start");
    case Ask::startup:
      if (!always_yes) return {};  // /readyz: the same until the first yes
      return found(Severity::note, fmt::format("{} is asked for the start", path),
                   "it always says yes: it holds nothing back");
  }
  return {};
}

Findings check_patience(const PodView& pod, const ProbeKind& kind, yaml::Value probe) {
  const std::chrono::seconds given = patience(probe);
  const yaml::Value place = place_of(probe, probe["failureThreshold"] ? "failureThreshold" : "periodSeconds");
  const plan::Duration start = longest_start(pod.plan, pod.snapshot);
  if (kind.ask == Ask::startup && given < start) {
    return pod.one(Severity::warning, "probes", place, key_of(kind, "failureThreshold"),
                   fmt::format("it gives up after {} s, and the plan lets the start take {} s", given.count(),
                               start.count() / 1000),
                   "a slow first start would be killed and begin anew, again and again (the plan's `within` "
                   "of the seed and of what is in ready_when, with all that they come after)",
                   "raise periodSeconds x failureThreshold, or lower `within` in the plan");
  }
  constexpr std::chrono::seconds least{15};
  if (kind.ask == Ask::live &&
      probe["periodSeconds"].number(10) * probe["failureThreshold"].number(3) < least.count()) {
    return pod.one(Severity::warning, "probes", place, key_of(kind, "failureThreshold"),
                   fmt::format("it kills after {} s of silence", given.count()),
                   "a busy node or a slow disk is silent for longer, and a kill costs every session",
                   "use periodSeconds 10 and failureThreshold 6");
  }
  return {};
}

Findings check_exec(const PodView& pod, const ProbeKind& kind, yaml::Value exec) {
  const std::vector<yaml::Value> command = exec["command"].items();
  const bool ours = command.size() >= 2 && command[0].text().ends_with("arizuko-init") &&
                    command[1].text() == "healthcheck";
  if (ours) return {};
  return pod.one(Severity::warning, "probes", exec, key_of(kind, "exec"),
                 "it runs a program in the container", "the image may have none: it needs no shell",
                 fmt::format("use httpGet, path {}", kind.path));
}

Findings check_probe(const PodView& pod, const ProbeKind& kind, yaml::Value probe) {
  Findings found = check_patience(pod, kind, probe);
  if (const yaml::Value get = probe["httpGet"]) {
    append(found, check_port(pod, kind, get, "httpGet"));
    append(found, check_path(pod, kind, get));
    if (get["host"]) {
      pod.add(found, Severity::error, "probes", get["host"], key_of(kind, "httpGet.host"),
              fmt::format("it asks {}", get["host"].text()),
              "the kubelet would ask that host, from the node, and not this pod",
              "leave it out: the pod's own address is the default");
    }
    if (get["scheme"].text() == "HTTPS") {
      pod.add(found, Severity::error, "probes", get["scheme"], key_of(kind, "httpGet.scheme"),
              "it asks by HTTPS", "the probe port speaks HTTP only: the probe never succeeds",
              "leave it out");
    }
  } else if (const yaml::Value tcp = probe["tcpSocket"]) {
    append(found, check_port(pod, kind, tcp, "tcpSocket"));
    if (kind.ask == Ask::ready) {
      pod.add(found, Severity::warning, "probes", tcp, key_of(kind, "tcpSocket"),
              "it only asks for a connection",
              "the probe port takes one at once: people are sent to a pod that does not serve",
              "use httpGet, path /readyz");
    }
  } else if (const yaml::Value exec = probe["exec"]) {
    append(found, check_exec(pod, kind, exec));
  } else {
    pod.add(found, Severity::error, "probes", probe, kind.key,
            "it asks in a way that arizuko-init does not answer", "the probe never succeeds",
            fmt::format("use httpGet, path {}", kind.path));
  }
  return found;
}

}  // namespace

Findings check_probes(const PodView& pod) {
  Findings found;
  for (const ProbeKind& kind : kinds) {
    const yaml::Value probe = pod.workload.container[kind.key];
    append(found, probe ? check_probe(pod, kind, probe) : check_missing(pod, kind));
  }
  return found;
}

plan::Duration longest_start(const plan::Plan& plan, const env::Snapshot& snapshot) {
  // Services are in start order: what each comes after has been counted before it.
  std::vector<plan::Duration> until(plan.services.size(), plan::Duration(0));
  for (std::size_t i = 0; i < plan.services.size(); ++i) {
    const plan::Service& service = plan.services[i];
    if (!service.enabled || !env::enabled(service, snapshot)) continue;
    plan::Duration before(0);
    for (const auto* links : {&service.after, &service.bound_to}) {
      for (const plan::ServiceId id : *links) before = std::max(before, until[id]);
    }
    until[i] = before + service.ready_within;
  }
  plan::Duration longest(0);
  for (const plan::ServiceId id : plan.pod.ready_when) longest = std::max(longest, until[id]);
  return longest;
}

}  // namespace arizuko::doctor
