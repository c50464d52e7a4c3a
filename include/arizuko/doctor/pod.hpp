// `check --pod`: rendered Kubernetes manifests beside the plan. Reads text, asks nobody.
//
// Finds the workload whose container is ours and says, with file and line, what would go wrong in a cluster:
// what never rotates, what kills too early, what is published by mistake. Facts: docs/traps.md, and what the
// kubelet does to a pod.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/doctor/finding.hpp"
#include "arizuko/doctor/yaml.hpp"
#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/load.hpp"

namespace arizuko::doctor {

struct Resource {
  std::string kind;
  std::string name;
  Yaml root;
};

struct Manifest {
  std::string file;  // as named; "-" is shown as <stdin>
  YamlFile yaml;
  std::vector<Resource> resources;  // those of a List too
  const Resource* find(std::string_view kind, std::string_view name) const;
};

/// One or more documents, YAML or JSON.
std::expected<Manifest, plan::Problem> read_manifest(const std::string& file, std::string_view text);

struct Workload {
  Resource resource;  // Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or Pod
  Yaml pod;           // the pod's spec
  Yaml labels;        // of the pod
  Yaml container;     // ours
};

/// Those whose container runs arizuko-init: by its command, its image's name, or the probe port of the plan.
std::vector<Workload> find_workloads(const Manifest& manifest, std::optional<std::uint16_t> probe_port);

/// "NAME=value": what the manifest itself says of the pod's environment, by `env`, ConfigMaps of the same
/// file taken whole (envFrom), and those mounted as directories. Secrets are left out.
std::vector<std::string> environment_of(const Manifest& manifest, const Workload& workload);

/// `--set KEY=VALUE` among the container's words.
std::vector<plan::Override> overrides_of(const Workload& workload);

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
