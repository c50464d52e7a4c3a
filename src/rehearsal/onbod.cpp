// onbod: greets chats that wait in `onboarding`. It marks a chat as prompted BEFORE it sends, so a
// greeting that finds gated or the channel down is lost for good (T11).
#include "boot.hpp"
#include "daemons.hpp"
#include "json.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace rehearsal {
namespace {

class Onbod {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  asio::awaitable<Response> handle(const Request& request);
  void listen();
  asio::awaitable<void> prompt_loop(std::chrono::milliseconds every);
  asio::awaitable<void> prompt_waiting();

  Daemon daemon_{"onbod"};
  Config config_;
  std::optional<Store> store_;
};

asio::awaitable<int> Onbod::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.store = StoreUse::Raw;
  needs.no_store = "open db";
  // Exit 0 is "nothing to do" (T35); "false" does not stop it.
  needs.check = [&log](const Config&) -> std::optional<int> {
    if (Environment::get("ONBOARDING_ENABLED") != "0") return std::nullopt;
    log.info("onboarding disabled");
    return 0;
  };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  config_ = std::move(booted->config);
  store_.emplace(std::move(booted->store));
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
  if (path.starts_with("/onboard") || path.starts_with("/invite/")) {
    co_return text_reply(200, "onboarding (rehearsal, not arizuko)\n");
  }
  co_return text_reply(404, "404 page not found\n");
}

asio::awaitable<void> Onbod::prompt_loop(std::chrono::milliseconds every) {
  for (;;) {
    co_await daemon_.sleep(every);
    if (daemon_.stopping()) co_return;
    co_await prompt_waiting();
  }
}

asio::awaitable<void> Onbod::prompt_waiting() {
  const auto waiting = store_->rows("SELECT jid FROM onboarding WHERE prompted_at IS NULL LIMIT 100");
  if (!waiting) {
    daemon_.log().error("query onboarding", {{"err", waiting.error()}});
    co_return;
  }
  for (const auto& row : *waiting) {
    (void)store_->run(
        "UPDATE onboarding SET prompted_at = datetime('now'), status = 'prompted' WHERE jid = ?1", {row[0]});
    Call call;
    call.url = Environment::text_or("ROUTER_URL", "http://gated:8080") + "/v1/outbound";
    call.bearer = config_.channel_secret;
    const auto greeting = Environment::text_or("ONBOARDING_GREETING", "Welcome (rehearsal).");
    call.body = json::serialize(json::object{{"jid", json_text(row[0])}, {"text", json_text(greeting)}});
    auto reply = co_await http_call(std::move(call));
    const bool sent = reply && reply->result_int() == 200;
    if (sent)
      daemon_.log().info("onboarding prompt sent", {{"jid", row[0]}});
    else
      daemon_.log().error(
          "onboarding prompt failed",
          {{"jid", row[0]}, {"err", reply ? fmt::format("status {}", reply->result_int()) : reply.error()}});
  }
}

}  // namespace

int run_onbod() { return Onbod().run(); }

}  // namespace rehearsal
