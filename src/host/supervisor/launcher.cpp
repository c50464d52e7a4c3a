#include "launcher.hpp"

#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/host/process/find_executable.hpp"
#include "arizuko/host/process/listeners.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/state/made_dirs.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {

namespace {

std::vector<std::string> flat(const env::Environment& environment) {
  std::vector<std::string> list;
  list.reserve(environment.size());
  for (const auto& [name, value] : environment) list.push_back(fmt::format("{}={}", name, value));
  return list;
}

env::Environment environment_of(const plan::Plan& plan, const plan::Service& service,
                                const env::Snapshot& snapshot, const RunFacts& facts) {
  env::Environment environment = env::compose(plan, service, snapshot);
  environment[std::string(mark_variable)] = facts.mark;
  if (!facts.notify_socket.empty()) environment["NOTIFY_SOCKET"] = facts.notify_socket;
  return environment;
}

/// Whom the service runs as, where that is not whom we are.
std::optional<posix::Account> other_user(const plan::Service& service) {
  const bool same_group = !service.gid || *service.gid == ::getegid();
  if (!service.uid || (*service.uid == ::geteuid() && same_group)) return std::nullopt;
  return posix::account_of(*service.uid, service.gid);
}

/// Of its directory, whatever is put in the way to it meanwhile.
void remove_stale_socket(const std::string& path) {
  const auto place = posix::find_place(path);
  struct stat status{};
  if (!place || ::fstatat(place->directory.get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISSOCK(status.st_mode)) {
    return;
  }
  // Only what is known to be stale: where it cannot be told, somebody may listen there.
  const Inodes listening = find_unix_listeners(path);
  if (listening && listening->empty()) ::unlinkat(place->directory.get(), place->name.c_str(), 0);
}

bool is_below(const std::string& root, const std::string& path) {
  return path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/';
}

}  // namespace

std::expected<ChildSpec, SpawnError> child_spec(const plan::Plan& plan, const plan::Service& service,
                                                const env::Snapshot& snapshot, const RunFacts& facts) {
  const env::Environment environment = environment_of(plan, service, snapshot, facts);
  ChildSpec spec;
  spec.argv = service.command;
  spec.executable = service.executable;
  if (spec.executable.empty()) {
    const auto path = environment.find("PATH");
    auto found =
        find_executable(service.command.front(), path == environment.end() ? plan.pod.path : path->second);
    if (!found) return std::unexpected(found.error());
    spec.executable = std::move(*found);
  }
  spec.environment = flat(environment);
  spec.cwd = service.cwd;
  spec.out = facts.out;
  spec.err = facts.err;
  spec.group = facts.group;
  spec.nofile = service.nofile;
  spec.limit_mark = limit_mark(facts.mark);
  spec.umask = service.umask;
  if (const auto user = other_user(service)) {
    spec.uid = user->uid;
    spec.gid = user->gid;
    spec.groups = user->groups;
  }
  return spec;
}

std::expected<ChildSpec, SpawnError> check_spec(const plan::Plan& plan, const plan::Service& service,
                                                const plan::ExecCheck& check, const env::Snapshot& snapshot,
                                                const RunFacts& facts) {
  plan::Service command = service;
  command.command = check.command;
  command.executable.clear();
  return child_spec(plan, command, snapshot, facts);
}

void prepare_start(const plan::Plan& plan, const plan::Service& service, int data_dir) {
  // What cannot be made is told by spawn: "entering the directory ...". Of the state directory nothing is
  // given away.
  const std::string& root = plan.pod.data_dir;
  const bool in_state_dir = is_below(root + "/.arizuko-init", service.cwd);
  const auto owner = in_state_dir ? std::nullopt : other_user(service);
  make_directory_below(data_dir, root, service.cwd, owner);
  for (const plan::Condition& condition : service.ready) {
    const auto* socket = std::get_if<plan::SocketCheck>(&condition.check);
    if (socket == nullptr) continue;
    const bool ours = is_below(root, socket->path) ||
                      (!plan.pod.run_dir.empty() && is_below(plan.pod.run_dir, socket->path));
    if (ours) remove_stale_socket(socket->path);
  }
}

}  // namespace arizuko::host
