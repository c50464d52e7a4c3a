// gated: the router. Owns the schema of messages.db and the registry of channels.
//
// Boot in contract section 5's order: config, store and migrations, purge of plaintext secrets
// (T16), HTTP at once (so /health is 200 BEFORE it is ready, T2), docker, `arizuko running`.
#include "boot.hpp"
#include "channels.hpp"
#include "daemons.hpp"
#include "docker.hpp"
#include "mailbox.hpp"
#include "turns.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

constexpr auto usual_boot = std::chrono::milliseconds(150);
constexpr auto longest_turn = std::chrono::hours(1);

class Gated {
 public:
  asio::awaitable<int> life();
  int run() { return daemon_.run(life()); }

 private:
  std::optional<int> check_egress() const;
  std::expected<void, std::string> clean_secrets();
  void open_mailbox();
  void serve();
  asio::awaitable<Response> handle(Request& request, const Tcp::endpoint& peer);
  void queue_unknown_chat(std::string_view jid);

  Daemon daemon_{"gated"};
  std::optional<Booted> booted_;
  std::optional<Channels> channels_;
  std::optional<Mailbox> mailbox_;
  std::optional<Turns> turns_;  // with REHEARSAL_AGENTS=1
};

asio::awaitable<int> Gated::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.open = [](const Config& config) { return open_shared(Line::Gated, config); };
  needs.no_store = "open db";
  needs.check = [this](const Config&) { return check_egress(); };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  booted_.emplace(std::move(*booted));
  if (auto cleaned = clean_secrets(); !cleaned) {
    log.error("open db", {{"err", cleaned.error()}});
    co_return 1;
  }
  open_mailbox();
  serve();
  if (Environment::text_or("REHEARSAL_DOCKER", "") == "1") {
    auto checked = co_await docker_boot_checks(daemon_, booted_->config);
    if (!checked) {
      log.error("gateway error", {{"err", checked.error()}});
      co_return 1;
    }
  }
  const bool up = co_await daemon_.boot_delay(usual_boot);
  if (!up || daemon_.stopping()) co_return 0;
  log.info("arizuko running", {{"assistant", booted_->config.assistant_name}});
  daemon_.spawn(channels_->look_at_health());
  daemon_.spawn(mailbox_->retry_pending());
  if (turns_) daemon_.spawn(turns_->poll());
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;  // agents are detached and requests cut: gated waits for nothing
}

void Gated::open_mailbox() {
  channels_.emplace(daemon_, booted_->credentials);
  mailbox_.emplace(daemon_, booted_->store, *channels_, booted_->credentials, booted_->config.assistant_name,
                   [this](const std::string& jid) {
                     queue_unknown_chat(jid);
                     if (turns_) turns_->message_came(jid);
                   });
  if (Environment::text_or("REHEARSAL_AGENTS", "") != "1") return;
  Gateway gateway;
  gateway.run = [this](const Turn& turn, std::string request) {
    auto words = run_arguments(booted_->config, Line::Gated, turn.folder, turn.container);
    return docker(daemon_, std::move(words), longest_turn, std::move(request));
  };
  gateway.deliver = [this](std::string jid, std::string text) {
    return mailbox_->deliver(std::move(jid), std::move(text));
  };
  turns_.emplace(daemon_, booted_->config, booted_->store, std::move(gateway));
}

// nullopt: it can go on.
std::optional<int> Gated::check_egress() const {
  const auto given = [](const char* name) { return !Environment::text_or(name, "").empty(); };
  if (!given("CRACKBOX_ADMIN_API") || (given("EGRESS_NETWORK_PREFIX") && given("EGRESS_CRACKBOX")))
    return std::nullopt;
  daemon_.log().error("config",
                      {{"err", "CRACKBOX_ADMIN_API needs EGRESS_NETWORK_PREFIX and EGRESS_CRACKBOX"}});
  return 1;
}

std::expected<void, std::string> Gated::clean_secrets() {
  if (booted_->config.auth_secret.empty()) return {};
  return booted_->store.run("DELETE FROM secrets WHERE value NOT LIKE 'v1:%'");  // T16
}

// The port may be taken: gated then RUNS ON WITHOUT ITS API (T1).
void Gated::serve() {
  const auto port = booted_->config.api_port;
  const auto address = parse_go_address(fmt::format(":{}", port));
  const auto listening = !address
                             ? std::unexpected(address.error())
                             : daemon_.listen(*address, [this](Request& request, const Tcp::endpoint& peer) {
                                 return handle(request, peer);
                               });
  if (listening)
    daemon_.log().info("api server listening", {{"addr", fmt::format(":{}", port)}});
  else
    daemon_.log().error("api server error", {{"err", listening.error()}});
}

asio::awaitable<Response> Gated::handle(Request& request, const Tcp::endpoint& peer) {
  const auto path = path_of(request);
  if (path == "/health" || path == "/ready") co_return json_reply(200, R"({"status":"ok"})");
  auto of_channels = co_await channels_->answer(request, peer);
  if (of_channels) co_return std::move(*of_channels);
  auto of_messages = co_await mailbox_->answer(request);
  if (of_messages) co_return std::move(*of_messages);
  co_return text_reply(404, "404 page not found\n");
}

// With onboarding on, a chat without a group waits for onbod to greet it.
void Gated::queue_unknown_chat(std::string_view jid) {
  if (booted_->config.onboarding_enabled != "true") return;
  const auto queued = booted_->store.run(
      "INSERT OR IGNORE INTO onboarding (jid, status, created_at)"
      " SELECT ?1, 'awaiting', datetime('now') WHERE NOT EXISTS (SELECT 1 FROM groups WHERE name = ?1)",
      {jid});
  if (!queued) daemon_.log().warn("onboarding queue", {{"err", queued.error()}});
}

}  // namespace

int run_gated() { return Gated().run(); }

}  // namespace rehearsal
