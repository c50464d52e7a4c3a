// Which of a file's resources is ours, and what it says of the pod's environment.
#include <algorithm>
#include <array>
#include <map>

#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::size_t most_resources = 10'000;

/// False when there are too many: Lists that name each other by aliases hold any number.
bool add_resources(yaml::Value root, std::vector<Resource>& all) {
  if (root["kind"].text() == "List")
    return std::ranges::all_of(root["items"].items(),
                               [&](yaml::Value each) { return add_resources(each, all); });
  const yaml::Value about = root["metadata"];
  if (root["kind"])
    all.push_back({root["kind"].text(), about["name"].text(), about["namespace"].text(), root});
  return all.size() <= most_resources;
}

/// "registry:5000/team/arizuko-init:1.2@sha256:..." -> "arizuko-init"
std::string_view image_name(std::string_view image) {
  const std::string_view name = program_of(image.substr(0, image.find('@')));
  return name.substr(0, name.find(':'));
}

/// arizuko's image, ours, or the rehearsal's: not the agents' (arizuko-ant), nor one of a daemon alone.
bool is_our_image(std::string_view image, const plan::Plan* plan) {
  const std::string_view name = image_name(image);
  if (name.find("arizuko") == name.npos || name.find("-ant") != name.npos) return false;
  return plan == nullptr || std::ranges::none_of(plan->services, [&](const plan::Service& each) {
           return name.ends_with("-" + each.name);
         });
}

/// For an image of any name: the plan's probe port alone is not enough, Prometheus has the same.
bool answers_probes(yaml::Value container, const plan::Plan* plan) {
  if (plan == nullptr || !plan->pod.probes) return false;
  const bool has_port = std::ranges::any_of(container["ports"].items(), [&](yaml::Value port) {
    return port["containerPort"].number(0) == plan->pod.probes->port;
  });
  constexpr std::array<std::string_view, 3> ours = {"/startupz", "/livez", "/readyz"};
  return has_port && std::ranges::any_of(container.entries(), [&](const auto& each) {
           return each.first.ends_with("Probe") &&
                  std::ranges::find(ours, each.second["httpGet"]["path"].text()) != ours.end();
         });
}

/// The instance itself, not `arizuko-init doctor` or `check` as a Job or before the start.
bool runs(std::span<const std::string> words) {
  return words.empty() || words.front().starts_with('-') || words.front() == "run";
}

/// The words behind "arizuko-init", wherever it stands in the words or in what a shell is told; nothing
/// without it.
std::optional<std::vector<std::string>> behind_our_name(const std::vector<std::string>& words) {
  std::vector<std::string> single;
  for (const std::string& each : words) {
    for (std::size_t at = 0; at < each.size();) {
      const std::size_t from = std::min(each.find_first_not_of(" \t\n;", at), each.size());
      at = std::min(each.find_first_of(" \t\n;", from), each.size());
      if (at > from) single.push_back(each.substr(from, at - from));
    }
  }
  const auto name = std::ranges::find(single, "arizuko-init", program_of);
  return name == single.end() ? std::nullopt
                              : std::optional(std::vector<std::string>(name + 1, single.end()));
}

std::optional<Workload> workload_of(const Resource& resource) {
  constexpr std::array<std::string_view, 6> with_template = {
      "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"};
  const yaml::Value spec = resource.root["spec"];
  if (resource.kind == "Pod") return Workload{resource, spec, resource.root["metadata"]["labels"], {}};
  if (std::ranges::find(with_template, resource.kind) == with_template.end()) return std::nullopt;
  const yaml::Value pod = spec["template"];
  return Workload{resource, pod["spec"], pod["metadata"]["labels"], {}};
}

}  // namespace

bool is_ours(yaml::Value container, const plan::Plan* plan) {
  const std::vector<std::string> words = words_of(container);
  if (const auto more = behind_our_name(words)) return runs(*more);
  const bool by_image = is_our_image(container["image"].text(), plan) && !container["command"];
  return by_image ? runs(words) : answers_probes(container, plan);
}

std::vector<std::string> words_of(yaml::Value container) {
  std::vector<std::string> words;
  for (const char* key : {"command", "args"}) {
    for (const yaml::Value each : container[key].items()) words.push_back(each.text());
  }
  return words;
}

bool same_namespace(std::string_view one, std::string_view other) {
  return one.empty() || other.empty() || one == other;
}

const Resource* Manifest::find(std::string_view kind, std::string_view name, std::string_view space) const {
  const auto found = std::ranges::find_if(resources, [&](const Resource& each) {
    return each.kind == kind && each.name == name && same_namespace(each.space, space);
  });
  return found == resources.end() ? nullptr : &*found;
}

namespace {

plan::Problem problem_of(const std::string& file, std::string_view text, yaml::Refused refused) {
  return {plan::Severity::error,
          {file, refused.line, refused.column},
          "",
          std::move(refused.what),
          text.contains("{{") ? "give the rendered manifest, not a template: helm template CHART" : ""};
}

}  // namespace

std::expected<Manifest, plan::Problem> read_manifest(const std::string& file, std::string_view text) {
  Manifest manifest;
  manifest.file = file == "-" ? "<stdin>" : file;
  auto parsed = yaml::parse(text);
  if (!parsed) return std::unexpected(problem_of(manifest.file, text, std::move(parsed.error())));
  manifest.yaml = std::move(*parsed);
  for (const yaml::Value document : manifest.yaml.documents) {
    if (add_resources(document, manifest.resources)) continue;
    return std::unexpected(plan::Problem{plan::Severity::error,
                                         {manifest.file, document.line(), document.column()},
                                         "",
                                         fmt::format("more than {} resources", most_resources),
                                         ""});
  }
  return manifest;
}

std::vector<Workload> find_workloads(const Manifest& manifest, const plan::Plan* plan) {
  std::vector<Workload> found;
  for (const Resource& resource : manifest.resources) {
    std::optional<Workload> workload = workload_of(resource);
    if (!workload) continue;
    for (const char* key : {"containers", "initContainers"}) {
      for (const yaml::Value container : workload->pod[key].items()) {
        if (!is_ours(container, plan)) continue;
        workload->container = container;
        found.push_back(*workload);
      }
    }
  }
  return found;
}

Finding no_workload(const Manifest& manifest) {
  if (manifest.resources.empty()) {
    return {Severity::error,
            "workload",
            {manifest.file, 0, 0},
            "",
            "there is no resource in it",
            "what should have written it may have failed: its own error is the one to read",
            "give the rendered manifest: kubectl kustomize DIR, or helm template CHART"};
  }
  return {
      Severity::error,
      "workload",
      {manifest.file, 0, 0},
      "",
      fmt::format("no container of its {} resource{} runs arizuko-init", manifest.resources.size(),
                  manifest.resources.size() == 1 ? "" : "s"),
      "looked for one by its command, by an image called arizuko, and by probes of the plan's port; a pod "
      "with a "
      "container for each daemon, as arizuko's guide has it, is not run by arizuko-init",
      "start from k8s/overlays/, or give the rendered manifest: kubectl kustomize DIR, helm template CHART"};
}

// ---------------------------------------------------------------------------------------------
// What the ConfigMaps of the manifest bring into the container

namespace {

std::vector<yaml::Value> config_maps_of(const Mount& mount) {
  if (mount.kind == Mount::Kind::config_map) return {mount.source};
  std::vector<yaml::Value> maps;
  if (mount.kind != Mount::Kind::projected) return maps;
  for (const yaml::Value each : mount.source["sources"].items()) {
    if (each["configMap"]) maps.push_back(each["configMap"]);
  }
  return maps;
}

/// The name of a key's file: by `items` only those that are listed, under their `path`.
std::string file_name(yaml::Value map, const std::string& key) {
  if (!map["items"]) return key;
  for (const yaml::Value each : map["items"].items()) {
    if (each["key"].text() == key) return each["path"].text();
  }
  return {};
}

/// What the kubelet makes of `$(NAME)`; `$$(NAME)` stays, without one `$`.
std::string expanded(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("$$")) {
      out += '$', at += 2;
      continue;
    }
    const std::size_t end = text.find(')', at);
    if (text.substr(at).starts_with("$(") && end != text.npos) {
      const auto value = values.find(std::string(text.substr(at + 2, end - at - 2)));
      out += value == values.end() ? std::string(text.substr(at, end + 1 - at)) : value->second;
      at = end + 1;
      continue;
    }
    out += text[at++];
  }
  return out;
}

/// envFrom first, then env, of which a later one wins and may name what came before.
std::map<std::string, std::string> variables_of(const Manifest& manifest, const Workload& workload) {
  std::map<std::string, std::string> values;
  for (const yaml::Value each : workload.container["envFrom"].items()) {
    const Resource* map =
        manifest.find("ConfigMap", each["configMapRef"]["name"].text(), workload.resource.space);
    if (map == nullptr) continue;
    for (const auto& [key, value] : map->root["data"].entries())
      values[each["prefix"].text() + key] = value.text();
  }
  for (const yaml::Value each : workload.container["env"].items()) {
    const std::string name = each["name"].text();
    if (each["value"].is_text()) values[name] = expanded(each["value"].text(), values);
    if (each["valueFrom"]) values.erase(name);  // not known, but not the earlier one
  }
  return values;
}

}  // namespace

std::vector<ConfigFile> config_files(const Manifest& manifest, const Workload& workload) {
  std::vector<ConfigFile> files;
  for (const Mount& mount : mounts_of(workload)) {
    for (const yaml::Value map : config_maps_of(mount)) {
      const Resource* resource = manifest.find("ConfigMap", map["name"].text(), workload.resource.space);
      if (resource == nullptr) continue;
      for (const auto& [key, value] : resource->root["data"].entries()) {
        const std::string name = file_name(map, key);
        if (name.empty() || !value.is_text()) continue;
        const bool is_the_mount = mount.by_sub_path && mount.node["subPath"].text() == name;
        if (mount.by_sub_path && !is_the_mount) continue;
        files.push_back({is_the_mount ? mount.path : fmt::format("{}/{}", mount.path, name), value.text(),
                         value.line(), resource->name});
      }
    }
  }
  return files;
}

std::vector<std::string> environment_of(const Manifest& manifest, const Workload& workload,
                                        const std::vector<std::string>& directories) {
  std::map<std::string, std::string> values = variables_of(manifest, workload);
  for (const ConfigFile& file : config_files(manifest, workload)) {
    const std::size_t slash = file.path.rfind('/');
    if (std::ranges::find(directories, std::string_view(file.path).substr(0, slash)) == directories.end())
      continue;
    std::string_view text = file.text;
    if (text.ends_with('\n')) text.remove_suffix(1);  // as the source reads it
    values[file.path.substr(slash + 1)] = text;
  }
  std::vector<std::string> entries;
  for (const auto& [name, value] : values) entries.push_back(fmt::format("{}={}", name, value));
  return entries;
}

std::vector<plan::Override> overrides_of(const Manifest& manifest, const Workload& workload) {
  std::vector<plan::Override> overrides;
  std::vector<std::string> words = words_of(workload.container);
  const auto values = variables_of(manifest, workload);
  for (std::string& each : words) each = expanded(each, values);
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

std::optional<std::int64_t> port_number(yaml::Value container, yaml::Value port) {
  if (port.is_number()) return port.number(0);
  for (const yaml::Value each : container["ports"].items()) {
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
  for (const yaml::Value volume : workload.pod["volumes"].items()) {
    if (volume["name"].text() != mount.volume) continue;
    mount.kind = other;
    for (const Word& word : words) {
      if (!volume.key(word.key)) continue;
      mount.kind = word.kind;
      mount.source = volume[word.key];
    }
    return;
  }
  for (const yaml::Value claimed : workload.resource.root["spec"]["volumeClaimTemplates"].items()) {
    if (claimed["metadata"]["name"].text() != mount.volume) continue;
    mount.kind = claim;
    mount.source = claimed;
  }
}

}  // namespace

std::vector<Mount> mounts_of(const Workload& workload) {
  std::vector<Mount> mounts;
  for (const yaml::Value each : workload.container["volumeMounts"].items()) {
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
