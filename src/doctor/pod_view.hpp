// What the checks of a manifest share. Private to the doctor layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "arizuko/doctor/pod.hpp"

namespace arizuko::doctor {

struct PodView {
  const Manifest& manifest;
  const Workload& workload;
  const plan::Plan& plan;
  const env::Snapshot& snapshot;

  Findings one(Severity severity, std::string_view check, yaml::Value place, std::string_view key,
               std::string_view what, std::string_view why, std::string_view fix) const;
  void add(Findings& all, Severity severity, std::string_view check, yaml::Value place, std::string_view key,
           std::string_view what, std::string_view why, std::string_view fix) const;
};

/// Where `key` of `parent` stands, or `parent` itself when it does not.
inline yaml::Value place_of(yaml::Value parent, std::string_view key) {
  const yaml::Value found = parent.key(key);
  return found ? found : parent;
}

/// `command` and `args`, one after the other.
std::vector<std::string> words_of(yaml::Value container);
/// Whether it runs an instance; without a plan its probe port is not looked at.
bool is_ours(yaml::Value container, const plan::Plan* plan);
/// What stands behind the last slash.
inline std::string_view program_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// A port by number or by the name that the container gives it.
std::optional<std::int64_t> port_number(yaml::Value container, yaml::Value port);

struct Mount {
  yaml::Value node;
  std::string path;
  std::string volume;
  enum class Kind { missing, claim, secret, config_map, projected, empty, host, other };
  Kind kind = Kind::missing;
  yaml::Value source;  // what the volume is made of
  bool read_only = false;
  bool by_sub_path = false;
};
std::vector<Mount> mounts_of(const Workload& workload);
/// The mount that `path` lies in; nullptr: the container's own root.
const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path);

/// It is an init container that the others wait for, for ever.
bool holds_up_the_pod(const PodView& pod);

// The checks.
Findings check_containers(const PodView& pod);  // what else runs in the pod, and how ours is started
Findings check_update(const PodView& pod);      // strategy, replicas, autoscaler (T25)
Findings check_grace(const PodView& pod);       // terminationGracePeriodSeconds
Findings check_isolation(const PodView& pod);   // host namespaces, service links (T17, T19)
Findings check_user(const PodView& pod);        // runAsUser, fsGroup (T15)
Findings check_resources(const PodView& pod);   // a limit of memory
Findings check_probes(const PodView& pod);      // port, path, patience (T24)
Findings check_secrets(const PodView& pod);     // what never rotates
Findings check_values(const PodView& pod);      // secrets that stand in the manifest
Findings check_storage(const PodView& pod);     // what must be writable
Findings check_services(const PodView& pod);    // what is published (0.4, T17)

}  // namespace arizuko::doctor
