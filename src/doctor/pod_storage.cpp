// Secrets that follow a rotation, paths that must be writable, claims that suit SQLite.
#include <algorithm>

#include <fmt/ranges.h>

#include "arizuko/env/redaction.hpp"
#include "arizuko/env/scope.hpp"
#include "known.hpp"
#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

constexpr const char* mount_as_directory =
    "mount it as a directory that the plan reads (dir:/etc/arizuko/secrets), without subPath";

bool plan_reads(const plan::Plan& plan, std::string_view directory) {
  return std::ranges::any_of(plan.env.sources, [&](const plan::Source& source) {
    return source.kind == plan::Source::Kind::directory && source.path == directory;
  });
}

void check_env(const PodView& pod, Findings& found) {
  for (const yaml::Value each : pod.workload.container["env"].items()) {
    const std::string name = each["name"].text();
    const yaml::Value from = each["valueFrom"];
    if (from["secretKeyRef"]) {
      pod.add(found, Severity::warning, "secrets", each, "env",
              fmt::format("{} is a variable made of a Secret", name),
              "a variable never changes in a running pod: a rotation needs a new one", mount_as_directory);
    } else if (from["configMapKeyRef"]) {
      pod.add(found, Severity::note, "secrets", each, "env",
              fmt::format("{} is a variable made of a ConfigMap", name),
              "it does not follow a change until there is a new pod",
              "mount the ConfigMap as a directory that the plan reads");
    }
  }
  for (const yaml::Value each : pod.workload.container["envFrom"].items()) {
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

bool projects_secrets(const Mount& mount) {
  return mount.kind == Mount::Kind::projected &&
         std::ranges::any_of(mount.source["sources"].items(),
                             [](yaml::Value each) { return bool(each["secret"]); });
}

/// `items` of a Secret: what is not listed does not come, a new token neither.
void check_items(const PodView& pod, yaml::Value items, Findings& found) {
  for (const yaml::Value each : items.items()) {
    if (each["path"].text() == each["key"].text()) continue;
    pod.add(found, Severity::warning, "secrets", each, "volumes.secret.items",
            fmt::format("the key {} becomes the file {}", each["key"].text(), each["path"].text()),
            "the plan takes the file's name for the variable's: under another one it reaches no daemon",
            "give both one name, or leave items out: then every key comes, new ones too");
  }
}

void check_mount(const PodView& pod, const Mount& mount, Findings& found) {
  const bool secret = mount.kind == Mount::Kind::secret || projects_secrets(mount);
  if (!secret && mount.kind != Mount::Kind::config_map && mount.kind != Mount::Kind::projected) return;
  if (plan_reads(pod.plan, mount.path) && !mount.by_sub_path) {
    if (mount.kind == Mount::Kind::secret) check_items(pod, mount.source["items"], found);
    for (const yaml::Value each : mount.source["sources"].items())
      check_items(pod, each["secret"]["items"], found);
  }
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

namespace {

/// By a directory that the plan reads or by variables; from a Secret or a store's own driver.
bool brings_secrets(const PodView& pod) {
  const yaml::Value container = pod.workload.container;
  const auto of_secret = [](yaml::Value each) {
    return each["secretRef"] || each["valueFrom"]["secretKeyRef"];
  };
  if (std::ranges::any_of(container["envFrom"].items(), of_secret) ||
      std::ranges::any_of(container["env"].items(), of_secret))
    return true;
  return std::ranges::any_of(mounts_of(pod.workload), [&](const Mount& each) {
    const bool brings =
        each.kind == Mount::Kind::secret || projects_secrets(each) || each.kind == Mount::Kind::other;
    return brings && (plan_reads(pod.plan, each.path) ||
                      plan_reads(pod.plan, each.path.substr(0, each.path.rfind('/'))));
  });
}

bool is_rehearsal(const PodView& pod) {
  const std::vector<std::string> words = words_of(pod.workload.container);
  return std::ranges::find(words, "--rehearse") != words.end() ||
         pod.workload.container["image"].text().contains("arizuko-rehearsal");
}

/// What the pod cannot be ready without, and nothing in the manifest brings.
void check_reach(const PodView& pod, Findings& found) {
  if (brings_secrets(pod) || is_rehearsal(pod)) return;
  for (const plan::Service& each : pod.plan.services) {
    if (!each.enabled || !env::enabled(each, pod.snapshot) || !matters(pod.plan, each)) continue;
    std::vector<std::string> names = env::missing_for_run(pod.plan, each, pod.snapshot);
    if (names.empty()) continue;
    for (std::string& name : names) name = env::as_needed(each, name);
    pod.add(found, Severity::warning, "secrets", place_of(pod.workload.container, "volumeMounts"),
            "volumeMounts",
            fmt::format("no Secret reaches the plan, and {} needs {}", each.name, fmt::join(names, ", ")),
            "unless a .env on the volume brings it, arizuko-init ends with exit 78", mount_as_directory);
    return;
  }
}

}  // namespace

Findings check_secrets(const PodView& pod) {
  Findings found;
  check_env(pod, found);
  for (const Mount& each : mounts_of(pod.workload)) check_mount(pod, each, found);
  check_reach(pod, found);
  return found;
}

Findings check_values(const PodView& pod) {
  constexpr const char* why = "everybody who reads the repository, the Deployment or the ConfigMap has it";
  Findings found;
  for (const yaml::Value each : pod.workload.container["env"].items()) {
    if (!env::name_says_secret(each["name"].text()) || each["value"].text().empty()) continue;
    pod.add(found, Severity::warning, "values", each, "env",
            fmt::format("the value of {} stands in the manifest", each["name"].text()), why,
            mount_as_directory);
  }
  for (const ConfigFile& file : config_files(pod.manifest, pod.workload)) {
    const std::string_view name = program_of(file.path);
    if (const auto trouble =
            name == "ASSISTANT_NAME" ? trouble_with_assistant(file.text, {}) : std::nullopt) {
      doctor::add(found, Severity::error, "values", {pod.manifest.file, file.line, 0},
                  fmt::format("ConfigMap/{} data.{}", file.map, name), trouble->what, trouble->why,
                  another_assistant);
    }
    if (!env::name_says_secret(name) || file.text.empty()) continue;
    doctor::add(found, Severity::warning, "values", {pod.manifest.file, file.line, 0},
                fmt::format("ConfigMap/{} data.{}", file.map, name),
                fmt::format("the value of {} stands in a ConfigMap", name), why,
                "put it into the Secret instead");
  }
  return found;
}

// ---------------------------------------------------------------------------------------------

namespace {

bool can_write(const Mount& mount) {
  using enum Mount::Kind;
  const bool claimed_read_only = mount.kind == claim && mount.source["readOnly"].is_true();
  return !mount.read_only && !claimed_read_only && mount.kind != secret && mount.kind != config_map &&
         mount.kind != projected && mount.kind != missing;
}

void check_claim(const PodView& pod, const Mount& mount, Findings& found) {
  const Resource* claim = pod.manifest.find("PersistentVolumeClaim", mount.source["claimName"].text(),
                                            pod.workload.resource.space);
  const yaml::Value root = claim != nullptr                      ? claim->root
                           : mount.source["volumeClaimTemplate"] ? mount.source["volumeClaimTemplate"]
                                                                 : mount.source;
  const yaml::Value modes = root["spec"]["accessModes"];
  for (const yaml::Value each : modes.items()) {
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
  const yaml::Value container = pod.workload.container;
  const auto add = [&](Severity severity, yaml::Value place, std::string_view what, std::string_view why,
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
  if (mount->kind == Mount::Kind::host) {
    pod.add(found, Severity::warning, "volume", mount->node, "volumes.hostPath",
            fmt::format("{} is a directory of the node", mount->path),
            "on another node the instance begins anew with an empty one, fsGroup does not apply to it, and "
            "the Pod "
            "Security standards forbid it",
            "use a PersistentVolumeClaim; for a directory of one node one of class local");
  }
  if (mount->kind == Mount::Kind::claim) check_claim(pod, *mount, found);
}

}  // namespace

Findings check_storage(const PodView& pod) {
  Findings found;
  const std::vector<Mount> mounts = mounts_of(pod.workload);
  check_data_dir(pod, mounts, found);
  const yaml::Value read_only = pod.workload.container["securityContext"]["readOnlyRootFilesystem"];
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
