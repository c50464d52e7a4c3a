#include "rehearse.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/env/scope.hpp"
#include "arizuko/posix/find_program.hpp"
#include "paths.hpp"

namespace arizuko::cli {

namespace {

// A new user's first rehearsal shows every kind of daemon: two adapters, and onbod.
constexpr std::array<std::string_view, 4> shown_switches = {"TELEGRAM_BOT_TOKEN", "SLACK_BOT_TOKEN",
                                                            "SLACK_SIGNING_SECRET", "ONBOARDING_ENABLED"};

bool is_program(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

bool asks_for(const plan::Service& service, std::string_view key) {
  return std::ranges::find(service.take, key, &plan::Taken::key) != service.take.end() ||
         std::ranges::find(service.need, key, &plan::Taken::key) != service.need.end() ||
         plan::is_switched_by(service, key);
}

/// A value of the right form that nobody takes for a real one.
std::string made_up(const std::string& key, const std::string& data_dir) {
  if (key.ends_with("_ENABLED")) return "true";
  if (key.ends_with("_DIR"))
    return data_dir + (key == "HOST_APP_DIR" ? "/rehearsal-app" : "/rehearsal-" + key);
  if (key.ends_with("_URL")) return "http://rehearsal.invalid";
  return "rehearsal-made-up-" + key;
}

/// The first directory on the way up from `path` that is there can be written.
bool can_be_made(std::string path) {
  struct stat found{};
  while (::stat(path.c_str(), &found) != 0) {
    if (path == "/") return false;
    path = parent_of(path);
  }
  return S_ISDIR(found.st_mode) && ::access(path.c_str(), W_OK | X_OK) == 0;
}

}  // namespace

std::expected<std::string, std::string> find_rehearsal_program(const std::string& executable,
                                                               const std::string& path) {
  const std::string beside = parent_of(executable) + "/arizuko-rehearsal";
  if (!executable.empty() && is_program(beside)) return beside;
  if (auto found = posix::find_program("arizuko-rehearsal", path, posix::Directories::absolute))
    return *std::move(found);
  return std::unexpected(
      fmt::format("cannot rehearse: the program arizuko-rehearsal is neither {} nor in PATH; it is built "
                  "beside arizuko-init "
                  "(cmake --build --preset release)",
                  beside));
}

std::expected<std::string, std::string> rehearsal_data_dir(const std::string& instance, Line line,
                                                           const plan::Lookup& environment) {
  constexpr std::string_view what_works = "name a directory that can be written: --set pod.data_dir=DIR";
  const std::string state = environment("XDG_STATE_HOME").value_or("");
  const std::string home = environment("HOME").value_or("");
  const std::string base = state.starts_with('/')  ? state
                           : home.starts_with('/') ? home + "/.local/state"
                                                   : "";
  if (base.empty()) {
    return std::unexpected(
        fmt::format("cannot choose a data directory for the rehearsal: HOME is not set; {}", what_works));
  }
  std::string directory = fmt::format("{}/arizuko-init/rehearsal/{}arizuko_{}", base,
                                      line == Line::routd ? "routd/" : "", instance);
  if (!can_be_made(directory)) {
    return std::unexpected(
        fmt::format("cannot use {} as the rehearsal's data directory: uid {} may not write there; {}",
                    directory, ::geteuid(), what_works));
  }
  return directory;
}

void use_program(plan::Plan& plan, const std::string& program) {
  for (plan::Service& service : plan.services) service.executable = program;
}

std::vector<std::string> make_up_values(const plan::Plan& plan, env::Snapshot& snapshot) {
  std::set<std::string> names;
  const auto make_up = [&](const std::string& key) {
    if (snapshot.unusable.contains(key)) return;  // it is there, and wrong
    snapshot.values[key] = env::Value{made_up(key, plan.pod.data_dir), rehearsal_source};
    names.insert(key);
  };
  for (const std::string_view token : shown_switches) {
    const bool wanted =
        std::ranges::any_of(plan.services, [&](const plan::Service& each) { return asks_for(each, token); });
    if (wanted && !snapshot.has(token)) make_up(std::string(token));
  }
  for (const plan::Service& service : plan.services) {
    if (!service.enabled || !env::enabled(service, snapshot)) continue;
    // What `run` makes by itself is not made up, so that what is tried is what runs.
    for (const std::string& key : env::missing_for_run(plan, service, snapshot)) make_up(key);
  }
  return {names.begin(), names.end()};
}

}  // namespace arizuko::cli
