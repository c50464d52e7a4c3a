// Which of a file's resources is ours, and what it says of the pod's environment.
#include <algorithm>
#include <array>

#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

void add_resources(Yaml root, std::vector<Resource>& all) {
  if (root["kind"].text() == "List") {
    for (const Yaml each : root["items"].items()) add_resources(each, all);
    return;
  }
  if (root["kind"]) all.push_back({root["kind"].text(), root["metadata"]["name"].text(), root});
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> words_of(Yaml container) {
  std::vector<std::string> words;
  for (const char* key : {"command", "args"}) {
    for (const Yaml each : container[key].items()) words.push_back(each.text());
  }
  return words;
}

/// "registry:5000/team/arizuko-init:1.2@sha256:..." -> "arizuko-init"
std::string_view image_name(std::string_view image) {
  const std::string_view name = last_part(image.substr(0, image.find('@')));
  return name.substr(0, name.find(':'));
}

bool is_ours(Yaml container, std::optional<std::uint16_t> probe_port) {
  const std::vector<std::string> words = words_of(container);
  if (std::ranges::any_of(words, [](const std::string& word) { return last_part(word) == "arizuko-init"; }))
    return true;
  const std::string image = container["image"].text();
  const std::string_view name = image_name(image);
  // arizuko-ant is the agents' image; with a command of its own it is something else than the entrypoint.
  if (name.find("arizuko") != name.npos && name.find("-ant") == name.npos && !container["command"])
    return true;
  return probe_port && std::ranges::any_of(container["ports"].items(), [&](Yaml port) {
           return port["containerPort"].number(0) == *probe_port;
         });
}

std::optional<Workload> workload_of(const Resource& resource) {
  constexpr std::array<std::string_view, 5> with_template = {"Deployment", "StatefulSet", "DaemonSet",
                                                             "ReplicaSet", "Job"};
  const Yaml spec = resource.root["spec"];
  if (resource.kind == "Pod") return Workload{resource, spec, resource.root["metadata"]["labels"], {}};
  if (std::ranges::find(with_template, resource.kind) == with_template.end()) return std::nullopt;
  const Yaml pod = spec["template"];
  return Workload{resource, pod["spec"], pod["metadata"]["labels"], {}};
}

}  // namespace

const Resource* Manifest::find(std::string_view kind, std::string_view name) const {
  const auto found = std::ranges::find_if(
      resources, [&](const Resource& each) { return each.kind == kind && each.name == name; });
  return found == resources.end() ? nullptr : &*found;
}

std::expected<Manifest, plan::Problem> read_manifest(const std::string& file, std::string_view text) {
  Manifest manifest;
  manifest.file = file == "-" ? "<stdin>" : file;
  std::expected<YamlFile, plan::Problem> parsed = parse_yaml(manifest.file, text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  manifest.yaml = std::move(*parsed);
  for (const Yaml document : manifest.yaml.documents) add_resources(document, manifest.resources);
  return manifest;
}

std::vector<Workload> find_workloads(const Manifest& manifest, std::optional<std::uint16_t> probe_port) {
  std::vector<Workload> found;
  for (const Resource& resource : manifest.resources) {
    std::optional<Workload> workload = workload_of(resource);
    if (!workload) continue;
    for (const Yaml container : workload->pod["containers"].items()) {
      if (!is_ours(container, probe_port)) continue;
      workload->container = container;
      found.push_back(*workload);
    }
  }
  return found;
}

Finding no_workload(const Manifest& manifest) {
  return {Severity::error,
          "workload",
          {manifest.file, 0, 0},
          "",
          fmt::format("no container of its {} resource{} runs arizuko-init", manifest.resources.size(),
                      manifest.resources.size() == 1 ? "" : "s"),
          "looked for one by its command, by an image called arizuko, and by the plan's probe port",
          "give the rendered manifest: kubectl kustomize DIR, or helm template CHART"};
}

std::vector<std::string> environment_of(const Manifest& manifest, const Workload& workload) {
  std::vector<std::string> entries;
  const auto add_map = [&](std::string_view name) {
    const Resource* map = manifest.find("ConfigMap", name);
    if (map == nullptr) return;
    for (const auto& [key, value] : map->root["data"].entries()) entries.push_back(key + '=' + value.text());
  };
  // Later wins where the first of a name is taken: directories, then env, then envFrom.
  for (const Mount& mount : mounts_of(workload)) {
    if (mount.kind == Mount::Kind::config_map) add_map(mount.source["name"].text());
  }
  for (const Yaml each : workload.container["env"].items()) {
    if (each["value"].is_text()) entries.push_back(each["name"].text() + '=' + each["value"].text());
  }
  for (const Yaml each : workload.container["envFrom"].items()) add_map(each["configMapRef"]["name"].text());
  return entries;
}

std::vector<plan::Override> overrides_of(const Workload& workload) {
  std::vector<plan::Override> overrides;
  const std::vector<std::string> words = words_of(workload.container);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool joined = words[i].starts_with("--set=");
    if (!joined && (words[i] != "--set" || i + 1 == words.size())) continue;
    const std::string text = joined ? words[i].substr(6) : words[++i];
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals > 0)
      overrides.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return overrides;
}

// ---------------------------------------------------------------------------------------------

std::optional<std::int64_t> port_number(Yaml container, Yaml port) {
  if (port.is_number()) return port.number(0);
  for (const Yaml each : container["ports"].items()) {
    if (each["name"].is_text() && each["name"].text() == port.text()) return each["containerPort"].number(0);
  }
  return std::nullopt;
}

namespace {

void find_volume(const Workload& workload, Mount& mount) {
  using enum Mount::Kind;
  struct Word {
    const char* key;
    Mount::Kind kind;
  };
  constexpr std::array<Word, 7> words = {{{"persistentVolumeClaim", claim},
                                          {"ephemeral", claim},
                                          {"secret", secret},
                                          {"configMap", config_map},
                                          {"projected", projected},
                                          {"emptyDir", empty},
                                          {"hostPath", host}}};
  for (const Yaml volume : workload.pod["volumes"].items()) {
    if (volume["name"].text() != mount.volume) continue;
    mount.kind = other;
    for (const Word& word : words) {
      if (!volume.key(word.key)) continue;
      mount.kind = word.kind;
      mount.source = volume[word.key];
    }
    return;
  }
  for (const Yaml claimed : workload.resource.root["spec"]["volumeClaimTemplates"].items()) {
    if (claimed["metadata"]["name"].text() != mount.volume) continue;
    mount.kind = claim;
    mount.source = claimed;
  }
}

}  // namespace

std::vector<Mount> mounts_of(const Workload& workload) {
  std::vector<Mount> mounts;
  for (const Yaml each : workload.container["volumeMounts"].items()) {
    Mount mount;
    mount.node = each;
    mount.path = each["mountPath"].text();
    while (mount.path.size() > 1 && mount.path.ends_with('/')) mount.path.pop_back();
    mount.volume = each["name"].text();
    mount.read_only = each["readOnly"].is_true();
    mount.by_sub_path = each["subPath"] || each["subPathExpr"];
    find_volume(workload, mount);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path) {
  const Mount* best = nullptr;
  for (const Mount& each : mounts) {
    const bool inside = path.starts_with(each.path) && (path.size() == each.path.size() || each.path == "/" ||
                                                        path[each.path.size()] == '/');
    if (inside && (best == nullptr || each.path.size() > best->path.size())) best = &each;
  }
  return best;
}

}  // namespace arizuko::doctor
