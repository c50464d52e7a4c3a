// What the pod that we run in says about itself, as the API server shows it: what an agent beside it needs to
// share its volume and its node. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "json.hpp"

namespace arizuko::agents {

/// A volume as our container sees it.
struct Mount {
  std::string path;
  std::string volume;
  std::string claim;     // of the PersistentVolumeClaim; empty: it is none
  std::string sub_path;  // inside the volume
};

struct OwnPod {
  std::string name;
  std::string uid;
  std::string node;
  std::vector<Mount> mounts;       // of the container that holds the data directory
  json::object security;           // what makes files of the volume accessible: fsGroup and the like
  json::array tolerations;         // it is on this node, so its agents must be able to be there too
  json::array image_pull_secrets;  // used unless the plan has its own
};

/// `data_dir` says which container of the pod is ours: the one that mounts it.
Result<OwnPod> read_own_pod(const json::value& pod, std::string_view data_dir);

/// `path` is `directory` or below it.
bool is_below(std::string_view path, std::string_view directory);

}  // namespace arizuko::agents
