// runed: runs agents, and is the only one today that calls docker.
//
// Its port opens only after `docker info` and the end of all orphans, so that health is late where docker is
// (N5). Stopped, it waits for its runs, RUNED_SHUTDOWN_GRACE at most, which is as long as a run where nobody
// set it (N4). A run that routd no longer asks for is stopped.
#include "boot.hpp"
#include "channels.hpp"
#include "daemons.hpp"
#include "docker.hpp"
#include "json.hpp"
#include "runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace rehearsal {
namespace {

namespace fs = std::filesystem;
constexpr auto looks_every = std::chrono::milliseconds(200);
constexpr auto dropped_after = std::chrono::seconds(3);  // without a question from routd
constexpr auto docker_takes_to_stop = std::chrono::minutes(1);

enum class RunState { Running, Done, Failed };

struct Run {
  RunState state = RunState::Running;
  std::string container, error;
  bool told_to_stop = false;
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point asked = begun;
};

class Runed {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  void copy_source();
  asio::awaitable<Response> handle(const Request& request);
  Response begin(const Request& request);
  Response look(std::string_view id);
  asio::awaitable<void> play(std::string id, std::string folder, std::string request);
  asio::awaitable<void> watch_runs();
  asio::awaitable<void> stop_container(std::string container);
  asio::awaitable<void> wait_for_runs();
  std::size_t running() const;

  Daemon daemon_{"runed"};
  std::optional<Booted> booted_;
  std::map<std::string, Run> runs_;
};

asio::awaitable<int> Runed::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.line = Line::Today;
  needs.no_store = "open db";
  needs.open = [](const Config& config) {
    return Store::open(runed_db(config.data_dir), StoreUse::Owned, Schema::Runed);
  };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  booted_.emplace(std::move(*booted));
  if (Environment::text_or("REHEARSAL_DOCKER", "") == "1") {
    auto checked = co_await docker_boot_checks(daemon_, booted_->config);
    if (!checked) {
      log.error("runtime", {{"err", checked.error()}});
      co_return 1;
    }
  }
  copy_source();
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up || daemon_.stopping()) co_return 0;
  const auto address =
      listen_as_told(daemon_, [this](Request& request, const Tcp::endpoint&) { return handle(request); });
  if (!address) co_return 1;
  daemon_.spawn(watch_runs());
  log.info("runed running", {{"addr", *address}});
  co_await daemon_.stop_requested();
  log.info("shutting down", {{"runs", running()}});
  co_await wait_for_runs();
  co_return 0;
}

// At every start: agents get <data>/app-src as /opt/arizuko. A source that is not there is no error.
void Runed::copy_source() {
  const fs::path source = Environment::text_or("APP_SRC_DIR", "/opt/arizuko");
  const fs::path target = fs::path(booted_->config.data_dir) / "app-src";
  std::error_code failed, nothing_there;
  fs::create_directories(target, failed);
  if (!failed && fs::is_directory(source / "ant", nothing_there)) {
    fs::copy(source / "ant", target / "ant",
             fs::copy_options::recursive | fs::copy_options::overwrite_existing, failed);
  }
  if (failed) daemon_.log().warn("app-src", {{"err", failed.message()}});
}

asio::awaitable<Response> Runed::handle(const Request& request) {
  constexpr std::string_view runs = "/v1/runs";
  const std::string path{path_of(request)};
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  if (!path.starts_with(runs)) co_return text_reply(404, "404 page not found\n");
  const bool accepted = co_await booted_->credentials.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  if (path == runs && request.method() == http::verb::post) co_return begin(request);
  co_return look(std::string_view(path).substr(std::min(path.size(), runs.size() + 1)));
}

Response Runed::begin(const Request& request) {
  const auto body = parse_object(request.body());
  if (!body) return error_reply(400, "invalid json");
  const auto most = std::max<std::int64_t>(1, Environment::int_or("MAX_CONCURRENT_CONTAINERS", 5));
  if (daemon_.stopping() || running() >= static_cast<std::size_t>(most))
    return error_reply(429, "no room for a run");
  const auto folder = text_at(*body, "folder");
  if (folder.empty() || folder.contains('/') || folder.starts_with('.'))
    return error_reply(400, "bad folder");
  const auto id = random_hex(8);
  runs_[id].container = container_name(booted_->config, folder);
  daemon_.spawn(play(id, folder, text_at(*body, "request")));
  return json_reply(202, json::serialize(json::object{{"id", json_text(id)}}));
}

// A run that is over is told once.
Response Runed::look(std::string_view id) {
  const auto found = runs_.find(std::string(id));
  if (found == runs_.end()) return error_reply(404, "no such run");
  found->second.asked = std::chrono::steady_clock::now();
  switch (found->second.state) {
    case RunState::Running: return json_reply(200, R"({"state":"running"})");
    case RunState::Done: runs_.erase(found); return json_reply(200, R"({"state":"done"})");
    case RunState::Failed: break;
  }
  const auto said =
      json::serialize(json::object{{"state", "failed"}, {"error", json_text(found->second.error)}});
  runs_.erase(found);
  return json_reply(200, said);
}

asio::awaitable<void> Runed::play(std::string id, std::string folder, std::string request) {
  const auto& config = booted_->config;
  const auto container = runs_[id].container;
  std::error_code made;
  fs::create_directories(fmt::format("{}/groups/{}/share", config.data_dir, folder), made);
  (void)booted_->store.run(
      "INSERT INTO runs (id, folder, container, begun_at) VALUES (?1, ?2, ?3, datetime('now'))",
      {id, folder, container});
  auto words = run_arguments(config, Line::Today, folder, container);
  auto ended =
      co_await docker(daemon_, std::move(words), run_timeout() + docker_takes_to_stop, std::move(request));
  (void)booted_->store.run("UPDATE runs SET outcome = ?1 WHERE id = ?2", {ended ? "ok" : ended.error(), id});
  auto& run = runs_[id];
  run.state = ended ? RunState::Done : RunState::Failed;
  if (!ended) run.error = ended.error();
  run.asked = std::chrono::steady_clock::now();
}

// Ends what is over its time, and what routd dropped; forgets results that nobody fetched.
asio::awaitable<void> Runed::watch_runs() {
  for (;;) {
    co_await daemon_.sleep(looks_every);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(runs_, [now](const auto& each) {
      return each.second.state != RunState::Running && now - each.second.asked > dropped_after;
    });
    for (auto& [id, run] : runs_) {
      const bool dropped = now - run.asked > dropped_after;
      if (run.state != RunState::Running || run.told_to_stop || (!dropped && now - run.begun < run_timeout()))
        continue;
      run.told_to_stop = true;
      daemon_.log().warn(dropped ? "run dropped by routd" : "run timeout", {{"container", run.container}});
      daemon_.spawn(stop_container(run.container));
    }
  }
}

asio::awaitable<void> Runed::stop_container(std::string container) {
  std::vector<std::string> words{"stop", container};
  auto stopped = co_await docker(daemon_, std::move(words), docker_takes_to_stop);
  if (!stopped) daemon_.log().warn("docker stop", {{"container", container}, {"err", stopped.error()}});
}

asio::awaitable<void> Runed::wait_for_runs() {
  const auto given = parse_go_duration(Environment::text_or("RUNED_SHUTDOWN_GRACE", ""));
  const auto until = std::chrono::steady_clock::now() + given.value_or(run_timeout());
  while (running() != 0 && std::chrono::steady_clock::now() < until)
    co_await daemon_.sleep(std::chrono::milliseconds(20));
  if (running() != 0) daemon_.log().warn("shutdown grace over, runs left behind", {{"runs", running()}});
}

std::size_t Runed::running() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(runs_, [](const auto& each) { return each.second.state == RunState::Running; }));
}

}  // namespace

int run_runed() { return Runed().run(); }

}  // namespace rehearsal
