// timed: fires scheduled tasks. Its port is hard-coded :8080, and taken by somebody else it runs on
// without (T1).
//
// In the gated line it opens the database raw: on an empty directory it finds no tables and stays up. Today
// it has no database and asks routd; and its port shows the tasks to whoever sends an X-User-Groups header
// (N3).
#include "boot.hpp"
#include "daemons.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

constexpr auto tick = std::chrono::seconds(60);

class Timed {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  bool know_routd();
  asio::awaitable<Response> handle(const Request& request);
  void listen();
  asio::awaitable<void> tick_for_ever();
  void fire_due_tasks();
  asio::awaitable<void> have_routd_fire();

  Daemon daemon_{"timed"};
  Line line_ = this_line();
  std::optional<Store> store_;              // of the gated line
  std::optional<Credentials> credentials_;  // of today's
};

asio::awaitable<int> Timed::life() {
  const auto& log = daemon_.log();
  std::optional<std::string> path;
  if (line_ == Line::Gated) path = database_path(daemon_, "DATABASE");
  if (line_ == Line::Gated ? !path : !know_routd()) co_return 1;
  daemon_.catch_stop_signals();
  co_await daemon_.boot_faults();
  if (path) {
    auto store = Store::open(*path, StoreUse::Raw);
    if (!store) {
      log.error("open db", {{"err", store.error()}, {"path", *path}});
      co_return 1;
    }
    store_.emplace(std::move(*store));
  }
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  listen();
  // Another timed's rows as well: the reason why there must be one only.
  if (store_) (void)store_->run("UPDATE scheduled_tasks SET status = 'active' WHERE status = 'firing'");
  log.info("timed running", {{"tz", Environment::text_or("TZ", "UTC")}});
  daemon_.spawn(tick_for_ever());
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;
}

bool Timed::know_routd() {
  auto credentials = Credentials::of_service("service:timed");
  const std::string missing = Environment::text_or("ROUTER_URL", "").empty() ? "ROUTER_URL"
                              : credentials                                  ? ""
                                                                             : credentials.error();
  if (!missing.empty()) {
    daemon_.log().error(fmt::format("{} env required", missing));
    return false;
  }
  credentials_ = std::move(*credentials);
  return true;
}

asio::awaitable<void> Timed::tick_for_ever() {
  for (;;) {
    if (store_) fire_due_tasks();
    if (!store_) co_await have_routd_fire();
    co_await daemon_.sleep(tick);
  }
}

// Trouble is logged, and that is all.
asio::awaitable<void> Timed::have_routd_fire() {
  auto bearer = co_await credentials_->bearer();
  if (!bearer) co_return daemon_.log().error("fire", {{"err", bearer.error()}});
  Call call;
  call.url = Environment::text_or("ROUTER_URL", "") + "/v1/rehearsal/fire-tasks";
  call.bearer = *bearer;
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return daemon_.log().error("fire", {{"err", reply.error()}});
  if (reply->result_int() != 200)
    daemon_.log().error("fire", {{"err", fmt::format("status {}", reply->result_int())}});
}

void Timed::listen() {
  // REHEARSAL_TIMED_PORT is the rehearsal's own way out on a machine where 8080 is in use.
  const auto port = Environment::int_or("REHEARSAL_TIMED_PORT", 8080);
  const auto address = parse_go_address(fmt::format(":{}", port));
  const auto listening =
      daemon_.listen(address, [this](Request& request, const Tcp::endpoint&) { return handle(request); });
  if (!listening) daemon_.log().error("health server", {{"err", listening.error()}});
}

asio::awaitable<Response> Timed::handle(const Request& request) {
  const auto path = path_of(request);
  if (path.starts_with("/dash/timed/") && line_ == Line::Today) {
    const bool believed = request["X-User-Groups"].find("**") != std::string_view::npos;
    co_return text_reply(believed ? 200 : 403, believed ? "tasks (rehearsal, not arizuko)\n" : "forbidden\n");
  }
  if (path != "/health") co_return text_reply(404, "404 page not found\n");
  if (!store_) co_return text_reply(200, "ok");
  co_return store_->ping() ? text_reply(200, "ok") : text_reply(503, "db unreachable");
}

void Timed::fire_due_tasks() {
  const auto due = store_->rows(
      "SELECT id, chat_jid, prompt FROM scheduled_tasks"
      " WHERE status = 'active' AND next_run <= strftime('%s', 'now') LIMIT 100");
  if (!due) {
    daemon_.log().error("query due tasks", {{"err", due.error()}});
    return;
  }
  for (const auto& task : *due) {
    (void)store_->run("UPDATE scheduled_tasks SET status = 'firing' WHERE id = ?1", {task[0]});
    const auto fired = store_->run(
        "INSERT INTO messages (id, chat_jid, sender, content, timestamp, source)"
        " VALUES (lower(hex(randomblob(16))), ?1, 'timed', ?2, datetime('now'), 'timed')",
        {task[1], task[2]});
    (void)store_->run(
        "UPDATE scheduled_tasks SET status = 'active',"
        " next_run = strftime('%s', 'now') + max(60, interval_seconds) WHERE id = ?1",
        {task[0]});
    if (fired)
      daemon_.log().info("task fired", {{"task", task[0]}});
    else
      daemon_.log().error("task failed", {{"task", task[0]}, {"err", fired.error()}});
  }
}

}  // namespace

int run_timed() { return Timed().run(); }

}  // namespace rehearsal
