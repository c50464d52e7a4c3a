#include "own_pod.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace arizuko::agents {
namespace {

std::string claim_of(const json::value& pod, std::string_view volume) {
  const auto* volumes = list_at(pod, {"spec", "volumes"});
  if (volumes == nullptr) return "";
  for (const json::value& each : *volumes) {
    if (text_at(each, {"name"}) == volume) return text_at(each, {"persistentVolumeClaim", "claimName"});
  }
  return "";
}

std::vector<Mount> mounts_of(const json::value& pod, const json::value& container) {
  std::vector<Mount> out;
  const auto* mounts = list_at(container, {"volumeMounts"});
  if (mounts == nullptr) return out;
  for (const json::value& each : *mounts) {
    // A subPathExpr is filled in by the kubelet; its result is nowhere to be read.
    if (value_at(each, {"subPathExpr"}) != nullptr) continue;
    Mount mount{text_at(each, {"mountPath"}), text_at(each, {"name"}), "", text_at(each, {"subPath"})};
    while (mount.path.size() > 1 && mount.path.ends_with('/')) mount.path.pop_back();
    mount.claim = claim_of(pod, mount.volume);
    out.push_back(std::move(mount));
  }
  return out;
}

json::array copy_list(const json::value& pod, std::string_view name) {
  const auto* list = list_at(pod, {"spec", name});
  return list == nullptr ? json::array{} : *list;
}

}  // namespace

bool is_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.starts_with('/');
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

Result<OwnPod> read_own_pod(const json::value& pod, std::string_view data_dir) {
  OwnPod own;
  own.name = text_at(pod, {"metadata", "name"});
  own.uid = text_at(pod, {"metadata", "uid"});
  own.node = text_at(pod, {"spec", "nodeName"});
  if (own.name.empty() || own.uid.empty() || own.node.empty()) {
    return fail("the API server shows this pod without name, uid or node; is POD_NAME that of another one?");
  }
  if (const auto* containers = list_at(pod, {"spec", "containers"})) {
    for (const json::value& container : *containers) {
      auto mounts = mounts_of(pod, container);
      if (!own.mounts.empty() || !std::ranges::any_of(mounts, [&](const Mount& mount) {
            return !mount.claim.empty() && is_below(data_dir, mount.path);
          })) {
        continue;
      }
      own.mounts = std::move(mounts);
    }
  }
  for (const auto name : {"fsGroup", "fsGroupChangePolicy", "supplementalGroups", "seLinuxOptions"}) {
    if (const auto* found = value_at(pod, {"spec", "securityContext", name})) own.security[name] = *found;
  }
  own.tolerations = copy_list(pod, "tolerations");
  own.image_pull_secrets = copy_list(pod, "imagePullSecrets");
  return own;
}

}  // namespace arizuko::agents
