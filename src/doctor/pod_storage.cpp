// Secrets that follow a rotation, paths that must be writable, claims that suit SQLite.
#include <algorithm>
#include <array>

#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

constexpr const char* mount_as_directory =
    "mount it as a directory that the plan reads (dir:/etc/arizuko/secrets), without subPath";

bool sounds_secret(std::string_view name) {
  constexpr std::array<std::string_view, 5> ends = {"_SECRET", "_TOKEN", "_PASSWORD", "_API_KEY",
                                                    "_SERVICE_KEY"};
  return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

bool plan_reads(const plan::Plan& plan, std::string_view directory) {
  return std::ranges::any_of(plan.env.sources, [&](const plan::Source& source) {
    return source.kind == plan::Source::Kind::directory && source.path == directory;
  });
}

void check_env(const PodView& pod, Findings& found) {
  for (const Yaml each : pod.workload.container["env"].items()) {
    const std::string name = each["name"].text();
    const Yaml from = each["valueFrom"];
    if (from["secretKeyRef"]) {
      pod.add(found, Severity::warning, "secrets", each, "env",
              fmt::format("{} is a variable made of a Secret", name),
              "a variable never changes in a running pod: a rotation needs a new one", mount_as_directory);
    } else if (from["configMapKeyRef"]) {
      pod.add(found, Severity::note, "secrets", each, "env",
              fmt::format("{} is a variable made of a ConfigMap", name),
              "it does not follow a change until there is a new pod",
              "mount the ConfigMap as a directory that the plan reads");
    } else if (sounds_secret(name) && each["value"] && !each["value"].text().empty()) {
      pod.add(found, Severity::warning, "values", each, "env",
              fmt::format("the value of {} stands in the manifest", name),
              "everybody who reads the repository or the Deployment has it", mount_as_directory);
    }
  }
  for (const Yaml each : pod.workload.container["envFrom"].items()) {
    if (each["secretRef"]) {
      pod.add(found, Severity::warning, "secrets", each, "envFrom",
              fmt::format("Secret {} is taken as variables", each["secretRef"]["name"].text()),
              "variables never change in a running pod: a rotation needs a new one", mount_as_directory);
    } else if (each["configMapRef"]) {
      pod.add(found, Severity::note, "secrets", each, "envFrom",
              fmt::format("ConfigMap {} is taken as variables", each["configMapRef"]["name"].text()),
              "they do not follow a change until there is a new pod",
              "mount the ConfigMap as a directory that the plan reads");
    }
  }
}

void check_mount(const PodView& pod, const Mount& mount, Findings& found) {
  const bool secret = mount.kind == Mount::Kind::secret || mount.kind == Mount::Kind::projected;
  if (!secret && mount.kind != Mount::Kind::config_map) return;
  if (mount.by_sub_path) {
    pod.add(found, secret ? Severity::warning : Severity::note, "secrets", place_of(mount.node, "subPath"),
            "volumeMounts.subPath",
            fmt::format("{} is one file of a {}, by subPath", mount.path, secret ? "Secret" : "ConfigMap"),
            "such a file never changes in a running pod: a rotation needs a new one", mount_as_directory);
  } else if (mount.kind == Mount::Kind::secret && !plan_reads(pod.plan, mount.path)) {
    pod.add(found, Severity::note, "secrets", place_of(mount.node, "mountPath"), "volumeMounts.mountPath",
            fmt::format("{} is no source of the plan", mount.path),
            "its keys reach no daemon as values, and are not followed",
            "mount it at a dir: source of [env].sources, or add one");
  }
}

}  // namespace

Findings check_secrets(const PodView& pod) {
  Findings found;
  check_env(pod, found);
  for (const Mount& each : mounts_of(pod.workload)) check_mount(pod, each, found);
  return found;
}

// ---------------------------------------------------------------------------------------------

namespace {

bool can_write(const Mount& mount) {
  using enum Mount::Kind;
  return !mount.read_only && mount.kind != secret && mount.kind != config_map && mount.kind != projected &&
         mount.kind != missing;
}

void check_claim(const PodView& pod, const Mount& mount, Findings& found) {
  const Resource* claim = pod.manifest.find("PersistentVolumeClaim", mount.source["claimName"].text(),
                                            pod.workload.resource.space);
  const Yaml root = claim != nullptr                      ? claim->root
                    : mount.source["volumeClaimTemplate"] ? mount.source["volumeClaimTemplate"]
                                                          : mount.source;
  const Yaml modes = root["spec"]["accessModes"];
  for (const Yaml each : modes.items()) {
    if (each.text() != "ReadWriteMany" && each.text() != "ReadOnlyMany") continue;
    pod.add(found, Severity::warning, "volume", each, "accessModes",
            fmt::format("{} is asked for", each.text()),
            "what gives that is a network file system, where SQLite's WAL damages the database; and no "
            "second pod may write here (T25)",
            "use ReadWriteOnce, or ReadWriteOncePod");
  }
}

void check_data_dir(const PodView& pod, const std::vector<Mount>& mounts, Findings& found) {
  const std::string& path = pod.plan.pod.data_dir;
  const Yaml container = pod.workload.container;
  const auto add = [&](Severity severity, Yaml place, std::string_view what, std::string_view why,
                       std::string_view fix) {
    pod.add(found, severity, "writable-paths", place, "volumeMounts", what, why, fix);
  };
  const Mount* mount = mount_of(mounts, path);
  if (mount == nullptr) {
    return add(Severity::error, place_of(container, "volumeMounts"),
               fmt::format("nothing is mounted at {}", path),
               "the data directory would be in the container: gone with it, or not writable",
               "mount a PersistentVolumeClaim there or above, or set HOST_DATA_DIR to where it is mounted");
  }
  if (mount->kind == Mount::Kind::missing) {
    return add(Severity::error, mount->node, fmt::format("there is no volume called {}", mount->volume),
               "the API server refuses the pod", "add it to volumes");
  }
  if (!can_write(*mount)) {
    return add(Severity::error, mount->node,
               fmt::format("{}, which holds the data directory, is read-only", mount->path),
               "arizuko-init ends with exit 77", "mount a volume that can be written");
  }
  if (mount->kind == Mount::Kind::empty) {
    add(Severity::warning, mount->node, fmt::format("{} is an emptyDir", mount->path),
        "database, groups and sign-ins are gone with the pod", "use a PersistentVolumeClaim");
  }
  if (mount->kind == Mount::Kind::claim) check_claim(pod, *mount, found);
}

}  // namespace

Findings check_storage(const PodView& pod) {
  Findings found;
  const std::vector<Mount> mounts = mounts_of(pod.workload);
  check_data_dir(pod, mounts, found);
  const Yaml read_only = pod.workload.container["securityContext"]["readOnlyRootFilesystem"];
  if (!read_only.is_true()) return found;
  // Without these the host falls back to what it can write, in the end to an abstract socket.
  const plan::Pod& plan = pod.plan.pod;
  for (const auto& [key, path] :
       {std::pair{"pod.run_dir", plan.run_dir}, std::pair{"pod.control", plan.control}}) {
    if (!path.starts_with('/')) continue;
    const Mount* mount = mount_of(mounts, path);
    if (mount != nullptr && can_write(*mount)) continue;
    pod.add(found, Severity::error, "writable-paths", read_only, "securityContext.readOnlyRootFilesystem",
            fmt::format("{} = {} cannot be written", key, path),
            "the control socket cannot be made: status, why and restart find nobody",
            fmt::format("mount an emptyDir there, or leave {} out: the socket is then abstract", key));
  }
  return found;
}

}  // namespace arizuko::doctor
