// webd: the web channel. Registers like an adapter, but with SIGTERM at its default while it does
// (contract section 7); listens only after it is registered. Once, in both lines: no heartbeat brings it back
// into a router that has forgotten it (T6, N7).
#include "boot.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "router.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

class Webd {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  asio::awaitable<Response> handle(const Request& request);

  Daemon daemon_{"webd"};
  Line line_ = this_line();
  std::optional<Booted> booted_;
  std::optional<RouterClient> router_;
};

asio::awaitable<int> Webd::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.line = line_;
  needs.open = [this](const Config& config) { return open_shared(line_, config); };
  needs.no_store = "open store failed";
  needs.signals = StopSignals::Later;
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  booted_.emplace(std::move(*booted));
  RouterAccess access;
  access.router_url =
      Environment::text_or("ROUTER_URL", line_ == Line::Today ? "http://routd:8080" : "http://gated:8080");
  access.credentials = booted_->credentials;
  access.name = "web";
  access.url = Environment::text_or("WEBD_URL", "http://webd:8080");
  access.prefixes.emplace_back("web:");
  router_.emplace(daemon_, std::move(access), OnUnauthorized::RegisterAgain);
  auto registered = co_await router_->register_once();
  if (!registered) {
    log.error("register failed", {{"err", registered.error()}});
    co_return 1;
  }
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  daemon_.catch_stop_signals();
  if (!up) co_return 0;
  const auto address = parse_go_address(Environment::text_or("WEBD_LISTEN", ":8080"));
  const auto listening = daemon_.listen(
      address, [this](Request& request, const Tcp::endpoint&) { return handle(request); }, RequestLog::On);
  if (!listening) {
    log.error("listen failed", {{"err", listening.error()}});
    co_return 1;
  }
  log.info("webd running", {{"addr", address->text}});
  co_await daemon_.stop_requested();
  co_await router_->deregister();
  co_return 0;
}

asio::awaitable<Response> Webd::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  if (path == "/v1/rehearsal/inbound" && request.method() == http::verb::post) {
    const auto message = router_->make_message(request.body(), "web:");
    if (!message) co_return error_reply(400, message.error());
    auto done = co_await router_->hand_in(*message);
    co_return done ? json_reply(200, R"({"ok":true})") : error_reply(502, done.error());
  }
  if (path.starts_with("/pair/") && line_ == Line::Today)
    co_return text_reply(200, "pairing (rehearsal, not arizuko)\n");
  if (path.starts_with("/chat/") || path.starts_with("/slink/") || path.starts_with("/hook/")) {
    co_return text_reply(200, "chat (rehearsal, not arizuko)\n");
  }
  auto reply = co_await router_->answer(request);
  co_return reply ? std::move(*reply) : text_reply(404, "404 page not found\n");
}

}  // namespace

int run_webd() { return Webd().run(); }

}  // namespace rehearsal
