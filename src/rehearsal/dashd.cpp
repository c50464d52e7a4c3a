// dashd: the dashboard. Opens the database lazily, so its /health says nothing of it. Listens on every
// interface; in the gated line it believes whoever sends X-User-Sub (T17), today only proxyd, which shows a
// service token.
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
  bool find_database();
  asio::awaitable<Response> handle(const Request& request);
  asio::awaitable<bool> knows_who_asks(const Request& request);
  Response page();

  Daemon daemon_{"dashd"};
  Line line_ = this_line();
  std::string path_;
  std::optional<Credentials> credentials_;  // of today's line
};

asio::awaitable<int> Dashd::life() {
  const auto& log = daemon_.log();
  if (!find_database()) co_return 1;
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

bool Dashd::find_database() {
  const auto path = database_path(daemon_, "DB_PATH");
  if (!path) return false;
  path_ = *path;
  if (line_ == Line::Gated) return true;
  const auto refuse = [this](const std::string& why) {
    daemon_.log().error("config", {{"err", why}});
    return false;
  };
  if (path_.ends_with("/messages.db")) return refuse("DB_PATH names messages.db, which is no longer read");
  auto credentials = Credentials::of_service("service:dashd");
  if (!credentials) return refuse(fmt::format("{} is not set", credentials.error()));
  credentials_ = std::move(*credentials);
  return true;
}

asio::awaitable<Response> Dashd::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  if (!path.starts_with("/dash")) co_return text_reply(404, "404 page not found\n");
  const bool known = co_await knows_who_asks(request);
  if (known) co_return page();
  if (line_ == Line::Gated) co_return text_reply(401, "unauthorized\n");
  auto elsewhere = text_reply(303, "");
  elsewhere.set(http::field::location, "/auth/login");
  co_return elsewhere;
}

asio::awaitable<bool> Dashd::knows_who_asks(const Request& request) {
  if (request["X-User-Sub"].empty()) co_return false;
  if (!credentials_) co_return true;
  const bool accepted = co_await credentials_->accepts(std::string(bearer_of(request)));
  co_return accepted;
}

Response Dashd::page() {
  auto store = Store::open(path_, line_ == Line::Today ? StoreUse::Probed : StoreUse::Raw);
  if (!store) return text_reply(500, store.error() + "\n");
  const auto counts = store->rows("SELECT (SELECT count(*) FROM groups), (SELECT count(*) FROM messages)");
  if (!counts) return text_reply(500, counts.error() + "\n");
  return text_reply(200, fmt::format("dashboard (rehearsal, not arizuko)\ngroups {}\nmessages {}\n",
                                     counts->front()[0], counts->front()[1]));
}

}  // namespace

int run_dashd() { return Dashd().run(); }

}  // namespace rehearsal
