// dashd: the dashboard. Opens the database lazily, so its /health says nothing of it; believes
// whoever sends X-User-Sub, on every interface (T17).
#include "boot.hpp"
#include "daemons.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

class Dashd {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  asio::awaitable<Response> handle(const Request& request);
  Response page(const Request& request);

  Daemon daemon_{"dashd"};
  std::string path_;
};

asio::awaitable<int> Dashd::life() {
  const auto& log = daemon_.log();
  const auto path = database_path(daemon_, "DB_PATH");
  if (!path) co_return 1;
  path_ = *path;
  daemon_.catch_stop_signals();
  co_await daemon_.boot_faults();
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  const auto address = parse_port_or_colon(Environment::text_or("DASH_PORT", ":8080"));
  const auto listening = daemon_.listen(
      address, [this](Request& request, const Tcp::endpoint&) { return handle(request); }, RequestLog::On);
  if (!listening) {
    log.error("listen", {{"err", listening.error()}});
    co_return 1;
  }
  log.info("dashd running", {{"addr", address->text}});
  co_await daemon_.stop_requested();
  co_return 0;
}

asio::awaitable<Response> Dashd::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  if (path.starts_with("/dash")) co_return page(request);
  co_return text_reply(404, "404 page not found\n");
}

Response Dashd::page(const Request& request) {
  if (request["X-User-Sub"].empty()) return text_reply(401, "unauthorized\n");
  auto store = Store::open(path_, StoreUse::Raw);
  if (!store) return text_reply(500, store.error() + "\n");
  const auto counts = store->rows("SELECT (SELECT count(*) FROM groups), (SELECT count(*) FROM messages)");
  if (!counts) return text_reply(500, counts.error() + "\n");
  return text_reply(200, fmt::format("dashboard (rehearsal, not arizuko)\ngroups {}\nmessages {}\n",
                                     counts->front()[0], counts->front()[1]));
}

}  // namespace

int run_dashd() { return Dashd().run(); }

}  // namespace rehearsal
