// onbod: greets chats that wait in `onboarding`. It marks a chat as prompted BEFORE it sends, so a
// greeting that finds the router or the channel down is lost for good (T11).
//
// In the gated line gated writes `onboarding`; today the table is in onbod's own database, and routd posts to
// it (N2).
#include "boot.hpp"
#include "daemons.hpp"
#include "json.hpp"

#include "arizuko/base/fnv1a.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace rehearsal {
namespace {

class Onbod {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  std::expected<Store, std::string> open(const Config& config) const;
  std::optional<int> check() const;
  asio::awaitable<Response> handle(const Request& request);
  asio::awaitable<Response> take_chat(const Request& request);
  std::string greeting(std::string_view jid) const;
  void listen();
  asio::awaitable<void> prompt_loop(std::chrono::milliseconds every);
  asio::awaitable<void> prompt_waiting();
  asio::awaitable<std::expected<void, std::string>> send(std::string jid);

  Daemon daemon_{"onbod"};
  Line line_ = this_line();
  std::optional<Booted> booted_;
};

asio::awaitable<int> Onbod::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.line = line_;
  needs.no_store = "open db";
  needs.open = [this](const Config& config) { return open(config); };
  needs.check = [this](const Config&) { return check(); };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  booted_.emplace(std::move(*booted));
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  listen();
  const auto every = parse_go_duration(Environment::text_or("ONBOARD_POLL_INTERVAL", "10s"));
  daemon_.spawn(
      prompt_loop(std::max(every.value_or(std::chrono::seconds(10)), std::chrono::milliseconds(10))));
  log.info("onbod running");
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;
}

std::optional<int> Onbod::check() const {
  // Exit 0 is "nothing to do" (T35); "false" does not stop it.
  if (Environment::get("ONBOARDING_ENABLED") == "0") {
    daemon_.log().info("onboarding disabled");
    return 0;
  }
  for (const char* key : {"ONBOD_DB_PATH", "ROUTD_DB_PATH"}) {
    if (line_ == Line::Gated || !Environment::text_or(key, "").empty()) continue;
    daemon_.log().error("config", {{"err", fmt::format("{} is not set", key)}});
    return 1;
  }
  return std::nullopt;
}

// Today it owns onbod.db, and looks whether routd has migrated its own.
std::expected<Store, std::string> Onbod::open(const Config& config) const {
  if (line_ == Line::Gated) return Store::open(messages_db(config.data_dir), StoreUse::Raw);
  const auto routd = Store::open(Environment::text_or("ROUTD_DB_PATH", ""), StoreUse::Probed, Schema::Routd);
  if (!routd) return std::unexpected(routd.error());
  return Store::open(Environment::text_or("ONBOD_DB_PATH", ""), StoreUse::Migrates, Schema::Onbod);
}

// Taken or wrong: logged, and it runs on.
void Onbod::listen() {
  const auto address = parse_go_address(Environment::text_or("ONBOD_LISTEN_ADDR", ":8080"));
  const auto listening =
      daemon_.listen(address, [this](Request& request, const Tcp::endpoint&) { return handle(request); });
  if (!listening) daemon_.log().error("http server error", {{"err", listening.error()}});
}

asio::awaitable<Response> Onbod::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return text_reply(200, "ok");
  if (path == "/v1/onboarding" && line_ == Line::Today && request.method() == http::verb::post)
    co_return co_await take_chat(request);
  if (path.starts_with("/onboard") || path.starts_with("/invite/")) {
    co_return text_reply(200, "onboarding (rehearsal, not arizuko)\n");
  }
  co_return text_reply(404, "404 page not found\n");
}

asio::awaitable<Response> Onbod::take_chat(const Request& request) {
  const bool accepted = co_await booted_->credentials.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) co_return error_reply(400, "invalid json");
  const auto jid = text_at(*body, "jid");
  const auto queued = booted_->store.run(
      "INSERT OR IGNORE INTO onboarding (jid, status, created_at) VALUES (?1, 'awaiting', datetime('now'))",
      {jid});
  if (!queued) co_return error_reply(500, queued.error());
  daemon_.log().info("onboarding queued", {{"jid", jid}});
  co_return json_reply(200, R"({"ok":true})");
}

// Today the greeting holds a link that webd serves.
std::string Onbod::greeting(std::string_view jid) const {
  auto text = Environment::text_or("ONBOARDING_GREETING", "Welcome (rehearsal).");
  if (line_ == Line::Gated) return text;
  return fmt::format("{} {}/pair/{:016x}", text, Environment::text_or("AUTH_BASE_URL", ""),
                     arizuko::base::fnv1a<std::uint64_t>(jid));
}

asio::awaitable<void> Onbod::prompt_loop(std::chrono::milliseconds every) {
  for (;;) {
    co_await daemon_.sleep(every);
    if (daemon_.stopping()) co_return;
    co_await prompt_waiting();
  }
}

asio::awaitable<std::expected<void, std::string>> Onbod::send(std::string jid) {
  auto bearer = co_await booted_->credentials.bearer();
  if (!bearer) co_return std::unexpected(bearer.error());
  const std::string_view router = line_ == Line::Today ? "http://routd:8080" : "http://gated:8080";
  Call call;
  call.url = Environment::text_or("ROUTER_URL", router) + "/v1/outbound";
  call.bearer = *bearer;
  call.body = json::serialize(json::object{{"jid", json_text(jid)}, {"text", json_text(greeting(jid))}});
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->result_int() != 200) co_return std::unexpected(fmt::format("status {}", reply->result_int()));
  co_return std::expected<void, std::string>{};
}

asio::awaitable<void> Onbod::prompt_waiting() {
  const auto waiting = booted_->store.rows("SELECT jid FROM onboarding WHERE prompted_at IS NULL LIMIT 100");
  if (!waiting) {
    daemon_.log().error("query onboarding", {{"err", waiting.error()}});
    co_return;
  }
  for (const auto& row : *waiting) {
    (void)booted_->store.run(
        "UPDATE onboarding SET prompted_at = datetime('now'), status = 'prompted' WHERE jid = ?1", {row[0]});
    auto sent = co_await send(row[0]);
    if (sent)
      daemon_.log().info("onboarding prompt sent", {{"jid", row[0]}});
    else
      daemon_.log().error("onboarding prompt failed", {{"jid", row[0]}, {"err", sent.error()}});
  }
}

}  // namespace

int run_onbod() { return Onbod().run(); }

}  // namespace rehearsal
