// gated: the router. Owns the schema of messages.db and the registry of channels.
//
// Boot in contract section 5's order: config, store and migrations, purge of plaintext secrets
// (T16), HTTP at once (so /health is 200 BEFORE it is ready, T2), docker, `arizuko running`.
#include "boot.hpp"
#include "daemons.hpp"
#include "docker.hpp"
#include "json.hpp"
#include "registry.hpp"
#include "turns.hpp"

#include <fmt/format.h>

#include <sys/random.h>
#include <algorithm>
#include <array>
#include <cstdint>

namespace rehearsal {
namespace {

constexpr auto usual_boot = std::chrono::milliseconds(150);
constexpr auto retry_every = std::chrono::seconds(30);
constexpr int checks_until_deregistered = 3;

std::string random_hex(std::size_t bytes) {
  std::array<std::uint8_t, 32> raw{};
  if (::getrandom(raw.data(), raw.size(), 0) < 0) return "rehearsal";
  std::string text;
  for (std::size_t at = 0; at < std::min(bytes, raw.size()); ++at) text += fmt::format("{:02x}", raw[at]);
  return text;
}

class Gated {
 public:
  asio::awaitable<int> life();
  int run() { return daemon_.run(life()); }

 private:
  std::optional<int> check_egress() const;
  std::expected<void, std::string> clean_secrets();
  void serve();
  asio::awaitable<Response> handle(Request& request, const Tcp::endpoint& peer);
  Response register_channel(const Request& request, const Tcp::endpoint& peer);
  Response deregister_channel(const Request& request);
  Response list_channels(const Request& request) const;
  Response take_message(const Request& request);
  void queue_unknown_chat(std::string_view jid);
  asio::awaitable<Response> send_out(const Request& request);
  asio::awaitable<std::expected<void, std::string>> deliver(std::string jid, std::string text);
  asio::awaitable<void> retry_pending();
  asio::awaitable<void> check_channels();
  bool has_secret(const Request& request) const;

  Daemon daemon_{"gated"};
  Config config_;
  Registry registry_;
  std::optional<Store> store_;
  std::optional<Turns> turns_;  // with REHEARSAL_AGENTS=1
};

asio::awaitable<int> Gated::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.no_store = "open db";
  needs.check = [this](const Config&) { return check_egress(); };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  config_ = std::move(booted->config);
  store_.emplace(std::move(booted->store));
  if (auto cleaned = clean_secrets(); !cleaned) {
    log.error("open db", {{"err", cleaned.error()}});
    co_return 1;
  }
  if (Environment::text_or("REHEARSAL_AGENTS", "") == "1") {
    turns_.emplace(daemon_, config_, *store_, [this](std::string jid, std::string text) {
      return deliver(std::move(jid), std::move(text));
    });
  }
  serve();
  if (Environment::text_or("REHEARSAL_DOCKER", "") == "1") {
    auto checked = co_await docker_boot_checks(daemon_, config_);
    if (!checked) {
      log.error("gateway error", {{"err", checked.error()}});
      co_return 1;
    }
  }
  const bool up = co_await daemon_.boot_delay(usual_boot);
  if (!up || daemon_.stopping()) co_return 0;
  log.info("arizuko running", {{"assistant", config_.assistant_name}});
  daemon_.spawn(check_channels());
  daemon_.spawn(retry_pending());
  if (turns_) daemon_.spawn(turns_->poll());
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;  // agents are detached and requests cut: gated waits for nothing
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
  if (config_.auth_secret.empty()) return {};
  return store_->run("DELETE FROM secrets WHERE value NOT LIKE 'v1:%'");  // T16
}

// The port may be taken: gated then RUNS ON WITHOUT ITS API (T1).
void Gated::serve() {
  const auto port = config_.api_port;
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

// An empty CHANNEL_SECRET (ARIZUKO_DEV) opens the router to everybody: T18.
bool Gated::has_secret(const Request& request) const {
  return config_.channel_secret.empty() || bearer_of(request) == config_.channel_secret;
}

asio::awaitable<Response> Gated::handle(Request& request, const Tcp::endpoint& peer) {
  const auto path = path_of(request);
  const bool post = request.method() == http::verb::post;
  if (path == "/health" || path == "/ready") co_return json_reply(200, R"({"status":"ok"})");
  if (path == "/v1/channels/register" && post) co_return register_channel(request, peer);
  if (path == "/v1/channels/deregister" && post) co_return deregister_channel(request);
  if (path == "/v1/channels" && !post) co_return list_channels(request);
  if (path == "/v1/messages" && post) co_return take_message(request);
  if (path == "/v1/outbound" && post) co_return co_await send_out(request);
  co_return text_reply(404, "404 page not found\n");
}

Response Gated::register_channel(const Request& request, const Tcp::endpoint& peer) {
  if (!has_secret(request)) return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) return error_reply(400, "invalid json");
  Channel channel;
  channel.name = text_at(*body, "name");
  channel.url = text_at(*body, "url");
  channel.prefixes = texts_at(*body, "jid_prefixes");
  channel.capabilities = texts_at(*body, "capabilities");
  channel.source_ip = peer.address().to_string();
  channel.token = random_hex(16);
  if (channel.name.empty() || channel.prefixes.empty())
    return error_reply(400, "name and jid_prefixes required");
  if (!parse_url(channel.url)) return error_reply(400, "bad url");
  const auto reply = json::serialize(json::object{{"ok", true}, {"token", json_text(channel.token)}});
  const auto name = channel.name, url = channel.url;
  if (auto put = registry_.put(std::move(channel)); !put) return error_reply(409, put.error());
  daemon_.log().info("channel registered", {{"name", name}, {"url", url}});
  return json_reply(200, reply);
}

Response Gated::deregister_channel(const Request& request) {
  const auto* channel = registry_.by_token(bearer_of(request));
  if (channel == nullptr) return error_reply(401, "unauthorized");
  const auto name = channel->name;
  registry_.remove(name);
  daemon_.log().info("channel deregistered", {{"name", name}});
  return json_reply(200, R"({"ok":true})");
}

Response Gated::list_channels(const Request& request) const {
  if (!has_secret(request)) return error_reply(401, "unauthorized");
  json::array list;
  for (const auto& [name, channel] : registry_.all()) {
    list.push_back(json::object{{"name", json_text(name)},
                                {"url", json_text(channel.url)},
                                {"jid_prefixes", array_of(channel.prefixes)},
                                {"capabilities", array_of(channel.capabilities)}});
  }
  return json_reply(200, json::serialize(json::object{{"ok", true}, {"channels", list}}));
}

// The bearer is the token of the registration: after a gated restart it is unknown, 401, and a Go
// adapter registers again because of it.
Response Gated::take_message(const Request& request) {
  const auto* channel = registry_.by_token(bearer_of(request));
  if (channel == nullptr) return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) return error_reply(400, "invalid json");
  const auto jid = text_at(*body, "chat_jid");
  if (!owns(*channel, jid)) return error_reply(400, "jid prefix mismatch");
  auto id = text_at(*body, "id");
  if (id.empty()) id = random_hex(16);
  const auto stored = store_->run(
      "INSERT OR IGNORE INTO messages (id, chat_jid, sender, content, timestamp, source)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
      {id, jid, text_at(*body, "sender"), text_at(*body, "content"), text_at(*body, "timestamp"),
       channel->name});
  if (!stored) {
    daemon_.log().error("store message", {{"err", stored.error()}});
    return error_reply(500, stored.error());
  }
  queue_unknown_chat(jid);
  if (turns_) turns_->message_came(jid);
  return json_reply(200, R"({"ok":true})");
}

// With onboarding on, a chat without a group waits for onbod to greet it.
void Gated::queue_unknown_chat(std::string_view jid) {
  if (config_.onboarding_enabled != "true") return;
  const auto queued = store_->run(
      "INSERT OR IGNORE INTO onboarding (jid, status, created_at)"
      " SELECT ?1, 'awaiting', datetime('now') WHERE NOT EXISTS (SELECT 1 FROM groups WHERE name = ?1)",
      {jid});
  if (!queued) daemon_.log().warn("onboarding queue", {{"err", queued.error()}});
}

asio::awaitable<Response> Gated::send_out(const Request& request) {
  if (!has_secret(request)) co_return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) co_return error_reply(400, "invalid json");
  const auto jid = text_at(*body, "jid");
  const auto text = text_at(*body, "text");
  auto sent = co_await deliver(jid, text);
  const std::string status = sent ? "sent" : "pending";
  const auto id = random_hex(16);
  const auto kept = store_->run(
      "INSERT INTO messages (id, chat_jid, sender, content, timestamp, is_from_me, status)"
      " VALUES (?1, ?2, ?3, ?4, datetime('now'), 1, ?5)",
      {id, jid, config_.assistant_name, text, status});
  if (!kept) daemon_.log().error("store message", {{"err", kept.error()}});
  if (sent) co_return json_reply(200, R"({"ok":true,"status":"sent"})");
  daemon_.log().warn("outbound failed", {{"jid", jid}, {"err", sent.error()}});
  co_return json_reply(502, json::serialize(json::object{
                                {"ok", false}, {"error", json_text(sent.error())}, {"status", "pending"}}));
}

asio::awaitable<std::expected<void, std::string>> Gated::deliver(std::string jid, std::string text) {
  const auto last = store_->rows(
      "SELECT source FROM messages WHERE chat_jid = ?1 AND is_from_me = 0 ORDER BY rowid DESC LIMIT 1",
      {jid});
  const std::string preferred = last && !last->empty() ? last->front().front() : "";
  const auto* channel = registry_.by_jid(jid, preferred);
  if (channel == nullptr) co_return std::unexpected(fmt::format("no channel for jid {}", jid));
  Call call;
  call.url = channel->url + "/send";
  call.bearer = config_.channel_secret;
  call.body = json::serialize(json::object{{"chat_jid", json_text(jid)}, {"content", json_text(text)}});
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->result_int() != 200)
    co_return std::unexpected(fmt::format("send: status {}", reply->result_int()));
  co_return std::expected<void, std::string>{};
}

// Replies that found no channel stay pending and are tried every 30 s for 24 h.
asio::awaitable<void> Gated::retry_pending() {
  for (;;) {
    co_await daemon_.sleep(retry_every);
    const auto pending = store_->rows(
        "SELECT id, chat_jid, content FROM messages WHERE status = 'pending'"
        " AND timestamp > datetime('now', '-1 day') ORDER BY rowid LIMIT 100");
    if (!pending) continue;
    for (const auto& row : *pending) {
      auto sent = co_await deliver(row[1], row[2]);
      if (sent) (void)store_->run("UPDATE messages SET status = 'sent' WHERE id = ?1", {row[0]});
    }
  }
}

// A channel whose /health fails three times, 30 s apart, is dropped, and nothing tells it (T41).
// REHEARSAL_HEALTH_MS is the rehearsal's own, for who cannot wait for 90 s.
asio::awaitable<void> Gated::check_channels() {
  const std::chrono::milliseconds every(
      std::max<std::int64_t>(1, Environment::int_or("REHEARSAL_HEALTH_MS", 30'000)));
  for (;;) {
    co_await daemon_.sleep(every);
    std::vector<std::pair<std::string, std::string>> asked;
    for (const auto& [name, channel] : registry_.all()) asked.emplace_back(name, channel.url);
    for (const auto& [name, url] : asked) {
      Call call;
      call.method = http::verb::get;
      call.url = url + "/health";
      auto reply = co_await http_call(std::move(call));
      auto* channel = registry_.by_name(name);
      if (channel == nullptr || channel->url != url) continue;
      const bool fine =
          reply && (reply->result_int() == 200 ||
                    text_at(parse_object(reply->body()).value_or(json::object{}), "status") == "stale");
      channel->failed_checks = fine ? 0 : channel->failed_checks + 1;
      if (fine) continue;
      daemon_.log().warn(
          "channel health failed",
          {{"channel", name},
           {"fails", channel->failed_checks},
           {"err", reply ? fmt::format("health: status {}", reply->result_int()) : reply.error()}});
      if (channel->failed_checks < checks_until_deregistered) continue;
      daemon_.log().error("channel auto-deregistered",
                          {{"channel", name}, {"fails", channel->failed_checks}});
      registry_.remove(name);
    }
  }
}

}  // namespace

int run_gated() { return Gated().run(); }

}  // namespace rehearsal
