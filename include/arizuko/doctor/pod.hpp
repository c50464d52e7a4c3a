// `check --pod`: rendered Kubernetes manifests beside the plan. Reads text, asks nobody.
//
// Finds the workload whose container is ours and says, with file and line, what would go wrong in a cluster:
// what never rotates, what kills too early, what is published by mistake. Facts: docs/reference/traps.md, and
// what the kubelet does to a pod.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/doctor/finding.hpp"
#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/load.hpp"
#include "arizuko/yaml/tree.hpp"

namespace arizuko::doctor {

struct Resource {
  std::string kind;
  std::string name;
  std::string space;  // its namespace; empty: the one that it is applied to
  yaml::Value root;
};

/// Where one of them is not named, they are taken for the same.
bool same_namespace(std::string_view one, std::string_view other);

struct Manifest {
  std::string file;  // as named; "-" is shown as <stdin>
  yaml::File yaml;
  std::vector<Resource> resources;  // those of a List too
  const Resource* find(std::string_view kind, std::string_view name, std::string_view space) const;
};

/// One or more documents, YAML or JSON.
std::expected<Manifest, plan::Problem> read_manifest(const std::string& file, std::string_view text);

struct Workload {
  Resource resource;      // Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or Pod
  yaml::Value pod;        // the pod's spec
  yaml::Value labels;     // of the pod
  yaml::Value container;  // ours
};

/// Those whose container runs an instance: by its command, its image's name, or probes that ask the plan's
/// port for our paths. Without a plan by the first two. A pod in which two do it is there twice.
std::vector<Workload> find_workloads(const Manifest& manifest, const plan::Plan* plan);

/// A key of a ConfigMap of the manifest, where the container finds it.
struct ConfigFile {
  std::string path;
  std::string text;
  std::uint32_t line = 0;  // of its value
  std::string map;         // the ConfigMap's name
};
std::vector<ConfigFile> config_files(const Manifest& manifest, const Workload& workload);

/// "NAME=value": what the manifest itself says of the pod's environment, by `env`, ConfigMaps of the same
/// file taken whole (envFrom), and those mounted at one of `directories`, which the plan reads. Secrets are
/// left out.
std::vector<std::string> environment_of(const Manifest& manifest, const Workload& workload,
                                        const std::vector<std::string>& directories);

/// `--set KEY=VALUE` among the container's words.
std::vector<plan::Override> overrides_of(const Manifest& manifest, const Workload& workload);

/// Where the image has the stock plans, that of the gated line first.
inline constexpr std::array<std::string_view, 2> stock_places = {"/etc/arizuko/arizuko.toml",
                                                                 "/etc/arizuko/arizuko-routd.toml"};
bool is_stock_place(std::string_view path);

/// The files of the plan that the container reads, as far as they are ConfigMaps of the manifest.
struct PodPlan {
  std::string path;                // `--plan` among its words, or where `run` finds one
  std::optional<plan::File> plan;  // nothing: not in the manifest
  std::vector<plan::File> drop_ins;
};
/// `unless_named`: where it is when the container's words do not say.
PodPlan plan_of(const Manifest& manifest, const Workload& workload,
                std::string_view unless_named = stock_places.front());
/// What of it could not be looked at.
Findings check_plan(const Manifest& manifest, const Workload& workload, const PodPlan& plan);

struct PodCheckEntry {
  std::string_view name;
  std::string_view about;
};
std::span<const PodCheckEntry> all_pod_checks();

Findings check_pod(const Manifest& manifest, const Workload& workload, const plan::Plan& plan,
                   const env::Snapshot& snapshot);

/// When find_workloads finds none.
Finding no_workload(const Manifest& manifest);

/// How long the plan lets the pod take until /startupz says yes, at worst.
plan::Duration longest_start(const plan::Plan& plan, const env::Snapshot& snapshot);

}  // namespace arizuko::doctor
