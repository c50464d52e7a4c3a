// timed: fires scheduled tasks. Its port is hard-coded :8080, and taken by somebody else it runs on
// without (T1). It opens the database raw: on an empty directory it finds no tables and stays up.
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
  asio::awaitable<Response> handle(const Request& request);
  void listen();
  void fire_due_tasks();

  Daemon daemon_{"timed"};
  std::optional<Store> store_;
};

asio::awaitable<int> Timed::life() {
  const auto& log = daemon_.log();
  const auto path = database_path(daemon_, "DATABASE");
  if (!path) co_return 1;
  daemon_.catch_stop_signals();
  co_await daemon_.boot_faults();
  auto store = Store::open(*path, StoreUse::Raw);
  if (!store) {
    log.error("open db", {{"err", store.error()}, {"path", *path}});
    co_return 1;
  }
  store_.emplace(std::move(*store));
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  listen();
  // Another timed's rows as well: the reason why there must be one only.
  (void)store_->run("UPDATE scheduled_tasks SET status = 'active' WHERE status = 'firing'");
  log.info("timed running", {{"tz", Environment::text_or("TZ", "UTC")}});
  daemon_.spawn([](Timed& self) -> asio::awaitable<void> {
    for (;;) {
      self.fire_due_tasks();
      co_await self.daemon_.sleep(tick);
    }
  }(*this));
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;
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
  if (path_of(request) != "/health") co_return text_reply(404, "404 page not found\n");
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
