// What this command is told by the environment of its caller, gated or runed, which arizuko-init fills from
// the plan: which backend, whose agents, and how they run. Pure: the environment is a function.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"

namespace arizuko::agents {

using Seconds = std::chrono::seconds;

/// The value of a variable; nullopt: not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

enum class Backend { docker, kubernetes, none };

/// [agents] of the plan (docs/reference/plan.md), checked by arizuko-init and handed over in ARIZUKO_AGENTS
/// as JSON.
struct AgentPolicy {
  std::vector<std::string> image_pull_secrets;
  std::string service_account;
  std::string runtime_class;
  std::vector<std::string> tolerations;  // KEY[=VALUE][:EFFECT]
  std::vector<std::pair<std::string, std::string>> requests;
  std::vector<std::pair<std::string, std::string>> limits;
  std::vector<std::string> secrets;
  std::vector<std::string> config_maps;
  Seconds schedule_within{120};
  Seconds pull_within{300};
};

struct Settings {
  std::string instance = "demo";
  std::string data_dir;       // as the caller sees it
  std::string host_data_dir;  // as the caller writes it into -v
  std::string host_app_dir;   // from the agent image's own file system (the gated line)
  Seconds longest_turn{3600};
  AgentPolicy policy;
};

/// CONTAINER_BACKEND; without it kubernetes in a pod with a service account, unless a docker engine is named
/// by DOCKER_HOST; else docker.
Result<Backend> choose_backend(const Environment& environment, bool has_service_account);

Result<Settings> read_settings(const Environment& environment);

}  // namespace arizuko::agents
