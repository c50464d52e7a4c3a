// An instance in which nothing is wrong, in a directory of its own; each test spoils one thing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/plan/load.hpp"
#include "temporary_directory.hpp"

namespace arizuko::doctor::testing {

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// A TCP socket that listens on a free port of 127.0.0.1.
class Listening {
 public:
  Listening() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(socket_, 1);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  ~Listening() { ::close(socket_); }
  std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

constexpr std::string_view plan_text = R"(
[pod]
instance = "demo"
data_dir = "@ROOT@/data"
probes = "127.0.0.1:@PORT1@"
page = "off"
path = "@ROOT@/bin"
ready_when = ["gated"]
[env]
sources = ["dotenv:@ROOT@/data/.env", "environment", "dir:@ROOT@/secrets"]
common = ["ASSISTANT_NAME", "TZ"]
guarded = ["AUTH_SECRET"]
[task.seed]
command = ["arizuko"]
creates = "${pod.data_dir}/store/messages.db"
[service.gated]
command = ["gated"]
port = @PORT2@
need = ["CHANNEL_SECRET"]
take = ["DOCKER_HOST", "CONTAINER_BACKEND", "VOICE_TRANSCRIPTION_ENABLED"]
env.HOST_APP_DIR = "${HOST_APP_DIR:-@ROOT@/app}"
env.WHISPER_BASE_URL = "${WHISPER_BASE_URL:-http://127.0.0.1:9}"
essential = true
[service.proxyd]
command = ["proxyd"]
port = @PORT3@
after = ["gated"]
env.DATA_DIR = "${pod.data_dir}"
env.PROXYD_ROUTES_JSON = '[{"path": "/dash/", "backend": "http://127.0.0.1:9082", "auth": "user"}, {"path": "/chat/", "backend": "http://127.0.0.1:9081", "auth": "public"}]'
[service.teled]
command = ["teled"]
enabled_when = ["TELEGRAM_BOT_TOKEN"]
need = ["TELEGRAM_BOT_TOKEN", "CHANNEL_SECRET"]
take = ["ARIZUKO_DEV"]
after = ["gated"]
)";

class World {
 public:
  World() {
    for (const char* each :
         {"data", "data/store", "data/groups/main", "bin", "app/ant/skills/hello", "zones/Europe"})
      std::filesystem::create_directories(root + '/' + each);
    ::chmod((root + "/data").c_str(), 0750);
    write("data/.env", "CHANNEL_SECRET=planted\n", 0600);
    write("zones/Europe/Berlin", "TZif");
    for (const char* each : {"arizuko", "gated", "proxyd", "teled", "docker"})
      write(std::string("bin/") + each, "#!/bin/sh\nexit 0\n", 0755);
    set("CHANNEL_SECRET", "planted-secret");
    set("ASSISTANT_NAME", "Ari");
    set("TZ", "Europe/Berlin");
    load();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Loads the plan anew, with `more` merged over it.
  void load(std::string_view more = "") {
    std::string text(plan_text);
    replace(text, "@ROOT@", root);
    const Listening ports[3];  // held together, so that no two are the same
    replace(text, "@PORT1@", std::to_string(ports[0].port()));
    replace(text, "@PORT2@", std::to_string(ports[1].port()));
    replace(text, "@PORT3@", std::to_string(ports[2].port()));
    std::vector<plan::File> files = {{"plan.toml", text}};
    if (!more.empty()) files.push_back({"more.toml", std::string(more)});
    const auto loaded = plan::load(files, {}, [](std::string_view) { return std::nullopt; });
    if (!loaded) throw std::runtime_error(plan::to_text(loaded.error().front()));
    plan = *loaded;
  }

  std::string write(const std::string& name, std::string_view text, mode_t mode = 0644) const {
    const std::string path = root + '/' + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(root + '/' + name); }
  void set(const std::string& name, const std::string& value) {
    snapshot.values[name] = {value, "environment"};
  }

  Context context() const {
    Context context{plan, snapshot, user, {}};
    context.zone_directories = {root + "/zones"};
    context.groups = groups;
    return context;
  }
  /// A user who is not the owner of anything here.
  void become_a_stranger() { user = {::geteuid() + 4711, ::getegid() + 4711, {}}; }

  // Below the build directory: /tmp may be a file system that passes.
  tests::TemporaryDirectory directory{ARIZUKO_BINARY_DIR};
  std::string root = directory.path();
  plan::Plan plan;
  env::Snapshot snapshot;
  User user = this_user();
  host::GroupFacts groups{"/ours", {"memory", "pids"}, ""};

 private:
  static void replace(std::string& text, std::string_view what, const std::string& with) {
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at))
      text.replace(at, what.size(), with);
  }
};

/// "error data-dir", "error data-dir", ... : what was found, in order.
inline std::vector<std::string> heads(const Findings& findings) {
  std::vector<std::string> all;
  for (const Finding& each : findings)
    all.push_back(fmt::format("{} {}", to_text(each.severity), each.check));
  return all;
}

/// All that people read of a finding.
inline std::string full(const Finding& finding) {
  return fmt::format("{}: {}\n{}\n{}", place_text(finding), finding.what, finding.why, finding.fix);
}

/// The one finding of a list that has one; else something that no test takes for one.
inline Finding only(const Findings& findings) {
  return findings.size() == 1
             ? findings.front()
             : Finding{Severity::note, "", {}, "", fmt::format("{} findings", findings.size()), "", ""};
}

using Heads = std::vector<std::string>;

}  // namespace arizuko::doctor::testing
