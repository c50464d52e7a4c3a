#include "launcher.hpp"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/host/listeners.hpp"
#include "arizuko/host/process_table.hpp"

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
  spec.uid = service.uid;
  spec.gid = service.gid;
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

bool make_directory_below(const std::string& root, const std::string& path) {
  if (!is_below(root, path)) {
    errno = EPERM;
    return false;
  }
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) errno = error.value();
  return !error;
}

void prepare_start(const plan::Plan& plan, const plan::Service& service) {
  // What cannot be made is told by spawn: "entering the directory ...".
  make_directory_below(plan.pod.data_dir, service.cwd);
  for (const plan::Condition& condition : service.ready) {
    const auto* socket = std::get_if<plan::SocketCheck>(&condition.check);
    if (socket == nullptr) continue;
    const bool ours = is_below(plan.pod.data_dir, socket->path) ||
                      (!plan.pod.run_dir.empty() && is_below(plan.pod.run_dir, socket->path));
    struct stat status{};
    if (!ours || ::lstat(socket->path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) continue;
    // Only what is known to be stale: where it cannot be told, somebody may listen there.
    const Inodes listening = find_unix_listeners(socket->path);
    if (listening && listening->empty()) ::unlink(socket->path.c_str());
  }
}

}  // namespace arizuko::host
