// The workload as a whole: how it is replaced, stopped, isolated, and who it runs as.
#include <array>
#include <charconv>

#include "arizuko/plan/show.hpp"
#include "known.hpp"
#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::array<PodCheckEntry, 16> entries = {{
    {"workload", "a container of the file runs arizuko-init"},
    {"plan", "the plan that it runs is the one looked at"},
    {"containers", "nothing else in the pod does what arizuko-init does"},
    {"update-strategy", "the old pod is gone before the new one comes"},
    {"replicas", "one pod"},
    {"grace", "the kubelet waits longer than the plan"},
    {"service-links", "no variables of other Services"},
    {"namespaces", "process and network namespaces of its own"},
    {"user", "no root, and the volume is writable"},
    {"resources", "a limit of memory"},
    {"probes", "port, path and patience"},
    {"secrets", "secrets that follow a rotation"},
    {"writable-paths", "the data directory is on a volume that can be written"},
    {"volume", "the claim is for one node"},
    {"service", "proxyd's port is published, and nothing else"},
    {"values", "no secret in the manifest"},
}};

double seconds(plan::Duration duration) { return static_cast<double>(duration.count()) / 1000; }

}  // namespace

std::span<const PodCheckEntry> all_pod_checks() { return entries; }

void PodView::add(Findings& all, Severity severity, std::string_view check, yaml::Value place,
                  std::string_view key, std::string_view what, std::string_view why,
                  std::string_view fix) const {
  const std::string whole = fmt::format("{}/{} {}", workload.resource.kind, workload.resource.name, key);
  doctor::add(all, severity, check, {manifest.file, place.line(), place.column()}, whole, what, why, fix);
}

Findings PodView::one(Severity severity, std::string_view check, yaml::Value place, std::string_view key,
                      std::string_view what, std::string_view why, std::string_view fix) const {
  Findings all;
  add(all, severity, check, place, key, what, why, fix);
  return all;
}

Findings check_pod(const Manifest& manifest, const Workload& workload, const plan::Plan& plan,
                   const env::Snapshot& snapshot) {
  const PodView pod{manifest, workload, plan, snapshot};
  Findings all;
  if (holds_up_the_pod(pod)) return check_containers(pod);
  for (const auto look :
       {check_containers, check_update, check_grace, check_isolation, check_user, check_probes, check_secrets,
        check_values, check_storage, check_services, check_resources}) {
    append(all, look(pod));
  }
  return all;
}

// ---------------------------------------------------------------------------------------------

Findings check_update(const PodView& pod) {
  const Resource& resource = pod.workload.resource;
  const yaml::Value spec = resource.root["spec"];
  constexpr const char* why =
      "two pods on one data directory: the second ends with exit 77, and the update hangs (T25)";
  Findings found;
  if (resource.kind == "Deployment" && spec["strategy"]["type"].text() != "Recreate") {
    const yaml::Value strategy = spec["strategy"];
    const yaml::Value place = strategy["type"] ? strategy["type"] : place_of(spec, "strategy");
    pod.add(found, Severity::error, "update-strategy", place, "spec.strategy.type",
            strategy["type"] ? fmt::format("it is {}", strategy["type"].text())
                             : "it is not set, which means RollingUpdate",
            why, "set it to Recreate");
  } else if (resource.kind == "Deployment" && spec["strategy"]["rollingUpdate"]) {
    pod.add(found, Severity::error, "update-strategy", spec["strategy"].key("rollingUpdate"),
            "spec.strategy.rollingUpdate", "it stands beside type Recreate",
            "the API server refuses the Deployment", "take it away; in a patch set it to null");
  }
  if (spec["replicas"].number(1) > 1) {
    pod.add(found, Severity::error, "replicas", spec["replicas"], "spec.replicas",
            fmt::format("{} pods", spec["replicas"].number(1)), why, "set it to 1");
  }
  if (resource.kind == "DaemonSet" || resource.kind == "Job") {
    pod.add(found, Severity::error, "replicas", resource.root["kind"], "kind",
            fmt::format("a {}", resource.kind),
            resource.kind == "Job" ? "a Job is there to end, an instance is not"
                                   : "a pod on every node: one instance has one data directory (T25)",
            "use a Deployment with strategy Recreate, or a StatefulSet");
  }
  for (const Resource& each : pod.manifest.resources) {
    const yaml::Value target = each.root["spec"]["scaleTargetRef"];
    if (each.kind != "HorizontalPodAutoscaler" || target["name"].text() != resource.name ||
        target["kind"].text() != resource.kind || !same_namespace(each.space, resource.space) ||
        each.root["spec"]["maxReplicas"].number(2) <= 1)
      continue;
    pod.add(found, Severity::error, "replicas", target, "autoscaler", fmt::format("{} scales it", each.name),
            why, "take the autoscaler away");
  }
  return found;
}

namespace {

/// How long preStop sleeps: it runs first, and its time is taken off the grace.
std::int64_t pre_stop_seconds(yaml::Value container) {
  const yaml::Value hook = container["lifecycle"]["preStop"];
  std::string said;  // "/bin/sh -c sleep 20 && ..."
  for (const yaml::Value each : hook["exec"]["command"].items()) said += each.text() + ' ';
  constexpr std::string_view word = "sleep ";
  const std::size_t at = said.find(word);
  std::int64_t seconds = 0;
  if (at != said.npos && (at == 0 || said[at - 1] == ' ' || said[at - 1] == '/'))
    std::from_chars(said.data() + at + word.size(), said.data() + said.size(), seconds);
  return hook["sleep"] ? hook["sleep"]["seconds"].number(0) : seconds;
}

/// A probe may have a grace of its own, which then counts when it kills. Who fails /livez is arizuko-init
/// itself, silent for as long as the probe was patient: it will not act on SIGTERM either, and the pod's
/// whole grace would only be waited for. A few seconds are for a node that was slow and has come back.
Findings check_grace_of_probes(const PodView& pod) {
  constexpr std::int64_t enough_for_a_hang = 10;
  Findings found;
  for (const char* key : {"livenessProbe", "startupProbe"}) {
    const yaml::Value probe = pod.workload.container[key];
    const yaml::Value grace = probe["terminationGracePeriodSeconds"];
    if (!grace || std::chrono::seconds(grace.number(0)) > pod.plan.pod.grace) continue;
    const bool by_livez =
        std::string_view(key) == "livenessProbe" && probe["httpGet"]["path"].text() == "/livez";
    if (by_livez && grace.number(0) >= enough_for_a_hang) continue;
    pod.add(found, Severity::warning, "grace", grace, fmt::format("{}.terminationGracePeriodSeconds", key),
            fmt::format("{} s when this probe kills, and the plan may take {} s", grace.number(0),
                        seconds(pod.plan.pod.grace)),
            "it wins over the pod's: SIGKILL would come while adapters still sign off", "leave it out");
  }
  return found;
}

}  // namespace

Findings check_grace(const PodView& pod) {
  Findings found = check_grace_of_probes(pod);
  const yaml::Value spec = pod.workload.pod;
  const yaml::Value grace = spec["terminationGracePeriodSeconds"];
  constexpr std::int64_t kubernetes_default = 30;
  const std::int64_t given = grace.number(kubernetes_default);
  const std::int64_t before = pre_stop_seconds(pod.workload.container);
  const plan::Duration needed = pod.plan.pod.grace + std::chrono::seconds(before);
  if (std::chrono::seconds(given) > needed) return found;
  pod.add(found, Severity::error, "grace", grace ? grace : spec, "terminationGracePeriodSeconds",
          fmt::format("{} s{}, and the plan may take {} s{}", given, grace ? "" : " (the default)",
                      seconds(pod.plan.pod.grace),
                      before > 0 ? fmt::format(" after a preStop of {} s", before) : ""),
          "SIGKILL would come while adapters still sign off: messages and sessions are lost",
          fmt::format("set it above {}, or lower pod.grace", seconds(needed)));
  return found;
}

namespace {

void check_host_ports(const PodView& pod, Findings& found) {
  const auto proxyd = pod.plan.find("proxyd");
  for (const yaml::Value each : pod.workload.container["ports"].items()) {
    if (!each["hostPort"] || (proxyd && each["containerPort"].number(0) == pod.plan.services[*proxyd].port))
      continue;
    pod.add(found, Severity::error, "namespaces", each.key("hostPort"), "ports.hostPort",
            fmt::format("port {} is on the node's own addresses", each["containerPort"].text()),
            "of all ports only proxyd's asks who somebody is (T17, T18)",
            "leave it out: the kubelet and a Service reach the pod without it");
  }
}

}  // namespace

Findings check_isolation(const PodView& pod) {
  const yaml::Value spec = pod.workload.pod;
  Findings found;
  if (!spec["enableServiceLinks"].is_false()) {
    pod.add(found, Severity::warning, "service-links", place_of(spec, "enableServiceLinks"),
            "enableServiceLinks", spec["enableServiceLinks"] ? "it is on" : "it is not set, which means on",
            "a Service called api or dash would inject API_PORT=tcp://... into the environment (T19)",
            "set it to false");
  }
  for (const char* key : {"hostPID", "shareProcessNamespace"}) {
    if (!spec[key].is_true()) continue;
    pod.add(found, Severity::warning, "namespaces", spec.key(key), key, "arizuko-init is not PID 1",
            "when it dies, its daemons live on, and others see their environment and can signal them",
            "leave it out");
  }
  if (spec["hostNetwork"].is_true()) {
    pod.add(
        found, Severity::error, "namespaces", spec.key("hostNetwork"), "hostNetwork",
        "the daemons listen on the node's own addresses",
        has_program(pod.plan, "gated")
            ? "gated's API and the dashboard, which believes any X-User-Sub header, are then reachable by "
              "everybody who reaches the node (T17, T18)"
            : "timed, which believes any X-User-Groups header, is then reachable by everybody who reaches "
              "the node (N3)",
        "leave it out");
  }
  check_host_ports(pod, found);
  return found;
}

// ---------------------------------------------------------------------------------------------

namespace {

yaml::Value security(const PodView& pod, std::string_view key) {
  const yaml::Value own = pod.workload.container["securityContext"][key];
  return own ? own : pod.workload.pod["securityContext"][key];
}

bool mounts_claim(const Workload& workload) {
  for (const Mount& each : mounts_of(workload)) {
    if (each.kind == Mount::Kind::claim) return true;
  }
  return false;
}

}  // namespace

Findings check_user(const PodView& pod) {
  const yaml::Value user = security(pod, "runAsUser");
  const yaml::Value group = pod.workload.pod["securityContext"]["fsGroup"];
  const yaml::Value place = place_of(pod.workload.pod, "securityContext");
  const bool not_root = security(pod, "runAsNonRoot").is_true();
  Findings found;
  if (user && user.number(0) == 0) {
    pod.add(found, not_root ? Severity::error : Severity::warning, "user", user, "securityContext.runAsUser",
            not_root ? "root, with runAsNonRoot: the kubelet refuses to start it" : "it runs as root",
            "files that root makes cannot be changed by uid 1000 later, and a breach is one of root (T15)",
            "set runAsUser, runAsGroup and fsGroup to 1000");
  } else if (!user && !not_root) {
    pod.add(found, Severity::warning, "user", place, "securityContext.runAsUser",
            "it is not set: the image decides, and may say root",
            "files that root makes cannot be changed by uid 1000 later (T15)",
            "set runAsUser, runAsGroup and fsGroup to 1000, and runAsNonRoot");
  }
  const bool no_root = user ? user.number(0) > 0 : not_root;
  if (no_root && !group && mounts_claim(pod.workload)) {
    const yaml::Value misplaced = pod.workload.container["securityContext"].key("fsGroup");
    pod.add(found, Severity::error, "user", misplaced ? misplaced : place, "securityContext.fsGroup",
            misplaced ? "a container has none: it belongs to the pod's securityContext"
            : user    ? fmt::format("it is not set, and uid {} does not own a new volume", user.number(0))
                      : "it is not set, and the image's user does not own a new volume",
            "the data directory could not be written (exit 77), and Secret files of mode 0400 not be read",
            "set fsGroup to the group that it runs as: 1000");
  }
  for (const plan::Service& each : pod.plan.services) {
    const std::int64_t uid = user.number(not_root ? 1 : 0);
    if (!each.uid || uid == 0 || *each.uid == uid) continue;
    pod.add(found, Severity::error, "user", user ? user : place, "securityContext.runAsUser",
            fmt::format("the plan runs {} as uid {}, and only root can switch users", each.name, *each.uid),
            fmt::format("{} cannot be started", each.name), "take `user` out of the plan");
  }
  return found;
}

Findings check_resources(const PodView& pod) {
  const yaml::Value container = pod.workload.container;
  const yaml::Value place = place_of(container, "resources");
  Findings found;
  if (!container["resources"]["limits"]["memory"] && !pod.workload.pod["resources"]["limits"]["memory"]) {
    pod.add(found, Severity::note, "resources", place, "resources.limits.memory",
            "there is no limit of memory", "one daemon that leaks can take the node with it",
            "set requests, and a limit that all daemons together stay below");
  }
  for (const plan::Service& each : pod.plan.services) {
    if (!each.enabled || !each.group.any()) continue;
    pod.add(found, Severity::warning, "resources", place, "resources.limits",
            fmt::format("the plan limits {} ({}), and a pod's control groups are read-only", each.name,
                        plan::to_text(each.group)),
            "nothing holds that limit", "set the container's own limit, and take this one out of the plan");
  }
  return found;
}

}  // namespace arizuko::doctor
