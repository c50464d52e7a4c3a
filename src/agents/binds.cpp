#include "binds.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace arizuko::agents {
namespace {

bool climbs(std::string_view path) {
  return path.ends_with("/..") || path.find("/../") != std::string_view::npos;
}

std::string trimmed(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string joined(std::string_view first, std::string_view second) {
  while (second.starts_with('/')) second.remove_prefix(1);
  while (first.ends_with('/')) first.remove_suffix(1);
  if (first.empty() || second.empty()) return std::string{first.empty() ? second : first};
  return fmt::format("{}/{}", first, second);
}

/// The mount that `path` lies in: of several the deepest.
const Mount* mount_of(std::string_view path, const OwnPod& own) {
  const Mount* found = nullptr;
  for (const Mount& mount : own.mounts) {
    if (is_below(path, mount.path) && (found == nullptr || mount.path.size() > found->path.size()))
      found = &mount;
  }
  return found;
}

std::unexpected<Failure> refused(const Bind& bind, std::string_view why) {
  return fail(fmt::format("cannot mount {} at {}: {}", bind.host, bind.container, why), exit_run_failed);
}

}  // namespace

Result<std::optional<Mapped>> map_bind(const Bind& bind, const Settings& settings, const OwnPod& own) {
  const auto host = trimmed(bind.host);
  if (climbs(host)) return refused(bind, "'..' is not allowed in it");
  // An application directory inside the data directory is data like all else there.
  const bool is_data = !settings.host_data_dir.empty() && is_below(host, settings.host_data_dir);
  const bool is_app = !settings.host_app_dir.empty() && is_below(host, settings.host_app_dir);
  if (!is_data && is_app) return std::nullopt;
  if (!is_data) {
    return refused(bind,
                   fmt::format("an agent on Kubernetes can be given only what is below HOST_DATA_DIR ({}); "
                               "move it there, or put it into the agent image",
                               settings.host_data_dir.empty() ? "not set" : settings.host_data_dir));
  }
  const auto path = joined(settings.data_dir, host.substr(settings.host_data_dir.size()));
  const Mount* mount = mount_of(path, own);
  if (mount == nullptr || mount->claim.empty()) {
    return refused(bind, fmt::format("{} is not on a PersistentVolumeClaim of pod {}, so no agent can share "
                                     "it; mount one there",
                                     path, own.name));
  }
  const auto inside = mount->path == "/" ? path : path.substr(mount->path.size());
  return Mapped{mount->claim, joined(mount->sub_path, inside), trimmed(bind.container), bind.access};
}

}  // namespace arizuko::agents
