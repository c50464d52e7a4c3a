// The plan that the container reads: from ConfigMaps of the same manifest, where it is there.
#include <algorithm>

#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

/// `--plan FILE` or `--plan=FILE`; the last one, as the command line takes it. Empty: it names none.
std::string plan_path(const Workload& workload) {
  const std::vector<std::string> words = words_of(workload.container);
  std::string path;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--plan=")) path = words[i].substr(7);
    if (words[i] == "--plan" && i + 1 < words.size()) path = words[i + 1];
  }
  return path;
}

plan::File as_plan_file(const Manifest& manifest, const ConfigFile& file) {
  return {
      fmt::format("{} ConfigMap/{} {}", manifest.file, file.map, file.path.substr(file.path.rfind('/') + 1)),
      file.text};
}

}  // namespace

bool is_stock_place(std::string_view path) {
  return std::ranges::find(stock_places, path) != stock_places.end();
}

PodPlan plan_of(const Manifest& manifest, const Workload& workload, std::string_view unless_named) {
  PodPlan found{plan_path(workload), {}, {}};
  if (found.path.empty()) found.path = unless_named;
  const std::string drop_ins = found.path + ".d/";
  std::vector<ConfigFile> files = config_files(manifest, workload);
  std::ranges::sort(files, {}, &ConfigFile::path);
  for (const ConfigFile& each : files) {
    if (each.path == found.path) found.plan = as_plan_file(manifest, each);
    const std::string_view name =
        std::string_view(each.path).substr(std::min(each.path.size(), drop_ins.size()));
    if (each.path.starts_with(drop_ins) && name.ends_with(".toml") && !name.starts_with('.') &&
        name.find('/') == name.npos)
      found.drop_ins.push_back(as_plan_file(manifest, each));
  }
  return found;
}

Findings check_plan(const Manifest& manifest, const Workload& workload, const PodPlan& plan) {
  const plan::Plan none;
  const env::Snapshot nothing;
  const PodView pod{manifest, workload, none, nothing};
  constexpr const char* why =
      "the rest was looked at without it: what it says of ports, times and directories is not known";
  Findings found;
  if (!is_stock_place(plan.path) && !plan.plan) {
    pod.add(found, Severity::note, "plan", place_of(workload.container, "args"), "args",
            fmt::format("its plan {} is no ConfigMap of this file", plan.path), why,
            "name a copy of it: check --pod FILE --plan COPY");
  }
  for (const Mount& each : mounts_of(workload)) {
    if (each.path != plan.path + ".d" || each.kind != Mount::Kind::config_map ||
        manifest.find("ConfigMap", each.source["name"].text(), workload.resource.space) != nullptr)
      continue;
    pod.add(found, Severity::note, "plan", each.node, "volumeMounts",
            fmt::format("the ConfigMap {} with drop-ins is not in this file", each.source["name"].text()),
            why, "give the whole rendered manifest");
  }
  return found;
}

}  // namespace arizuko::doctor
