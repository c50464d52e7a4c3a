// authd: who is who. Exchanges a daemon's key for a service token, and shows the key that tokens are judged
// by.
//
// auth.db must be there (the seed makes it), and holds the signing key, so that a restart of authd alone
// disturbs nobody. Sign-in is not played.
#include "boot.hpp"
#include "channels.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "store.hpp"
#include "tokens.hpp"

#include <fmt/format.h>

#include <ctime>

namespace rehearsal {
namespace {

class Authd {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  std::optional<std::string> path() const;
  std::expected<void, std::string> load_signing_key();
  asio::awaitable<Response> handle(const Request& request);
  Response exchange(const Request& request) const;

  Daemon daemon_{"authd"};
  std::optional<Store> store_;
  std::map<std::string, std::string> principals_;  // by key
  std::string signing_key_;
};

std::optional<std::string> Authd::path() const {
  auto given = Environment::text_or("DATABASE", "");
  if (!given.empty()) return given;
  const auto data_dir = Environment::text_or("DATA_DIR", "");
  if (data_dir.empty()) return std::nullopt;
  return auth_db(data_dir);
}

asio::awaitable<int> Authd::life() {
  const auto& log = daemon_.log();
  const auto database = path();
  if (!database) {
    log.error("DATABASE or DATA_DIR env required");
    co_return 1;
  }
  daemon_.catch_stop_signals();
  co_await daemon_.boot_faults();
  auto store = Store::open(*database, StoreUse::Owned, Schema::Auth);
  if (!store) {
    log.error("open db", {{"err", store.error()}, {"path", *database}});
    co_return 1;
  }
  store_.emplace(std::move(*store));
  if (auto loaded = load_signing_key(); !loaded) {
    log.error("open db", {{"err", loaded.error()}});
    co_return 1;
  }
  principals_ = parse_service_keys(Environment::text_or("AUTHD_SERVICE_KEYS", ""));
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  const auto address =
      listen_as_told(daemon_, [this](Request& request, const Tcp::endpoint&) { return handle(request); });
  if (!address) co_return 1;
  log.info("authd running", {{"addr", *address}, {"services", principals_.size()}});
  co_await daemon_.stop_requested();
  co_return 0;
}

std::expected<void, std::string> Authd::load_signing_key() {
  const auto made = store_->run(
      "INSERT INTO signing_keys (key, made_at) SELECT ?1, datetime('now')"
      " WHERE NOT EXISTS (SELECT 1 FROM signing_keys)",
      {random_hex(32)});
  if (!made) return made;
  const auto kept = store_->rows("SELECT key FROM signing_keys LIMIT 1");
  if (!kept) return std::unexpected(kept.error());
  signing_key_ = kept->front().front();
  return {};
}

asio::awaitable<Response> Authd::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return store_->ping() ? text_reply(200, "ok") : text_reply(503, "db unreachable");
  if (path == "/v1/keys")
    co_return json_reply(200, json::serialize(json::object{{"key", json_text(signing_key_)}}));
  if (path == "/v1/service/token" && request.method() == http::verb::post) co_return exchange(request);
  co_return text_reply(404, "404 page not found\n");
}

// A key that is nobody's, another's, or that of a principal which authd does not know: one and the same 401,
// and no word in authd's own log (N1).
Response Authd::exchange(const Request& request) const {
  const auto body = parse_object(request.body()).value_or(json::object{});
  const auto principal = text_at(body, "principal");
  const auto holder = principals_.find(text_at(body, "key"));
  if (holder == principals_.end() || holder->second != principal || !knows_principal(principal))
    return error_reply(401, "unauthorized");
  const auto expires = std::time(nullptr) + std::chrono::seconds(token_lifetime).count();
  return json_reply(
      200, json::serialize(json::object{{"token", json_text(make_token(signing_key_, principal, expires))}}));
}

}  // namespace

int run_authd() { return Authd().run(); }

}  // namespace rehearsal
