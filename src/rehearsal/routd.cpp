// routd: today's router. Owns routd.db and the registry of channels, which is in memory; serves the agents'
// sockets, and has runed run them.
//
// At a route miss it tells onbod, once: where onbod does not answer, the user is told that there is no way in
// (N2). It leaves the whole of docker to runed, so it is ready as soon as its port is open.
#include "boot.hpp"
#include "channels.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "mailbox.hpp"
#include "runs.hpp"
#include "turns.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

class Routd {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  void open_mailbox();
  asio::awaitable<Response> handle(const Request& request, const Tcp::endpoint& peer);
  bool is_route_miss(std::string_view jid);
  asio::awaitable<void> ask_onbod(std::string jid);
  asio::awaitable<Response> fire_tasks(const Request& request);

  Daemon daemon_{"routd"};
  std::optional<Booted> booted_;
  std::optional<Channels> channels_;
  std::optional<Mailbox> mailbox_;
  std::optional<Turns> turns_;  // with REHEARSAL_AGENTS=1
};

asio::awaitable<int> Routd::life() {
  const auto& log = daemon_.log();
  Boot needs;
  needs.line = Line::Today;
  needs.no_store = "open db";
  needs.open = [](const Config& config) {
    return Store::open(routd_db(config.data_dir), StoreUse::Migrates, Schema::Routd);
  };
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  booted_.emplace(std::move(*booted));
  open_mailbox();
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up || daemon_.stopping()) co_return 0;
  const auto address = listen_as_told(
      daemon_, [this](Request& request, const Tcp::endpoint& peer) { return handle(request, peer); });
  if (!address) co_return 1;
  log.info("routd running", {{"addr", *address}});
  daemon_.spawn(channels_->look_at_health());
  daemon_.spawn(mailbox_->retry_pending());
  if (turns_) daemon_.spawn(turns_->poll());
  co_await daemon_.stop_requested();
  log.info("shutting down");
  co_return 0;
}

void Routd::open_mailbox() {
  channels_.emplace(daemon_, booted_->credentials);
  mailbox_.emplace(daemon_, booted_->store, *channels_, booted_->credentials, booted_->config.assistant_name,
                   [this](const std::string& jid) {
                     if (is_route_miss(jid)) daemon_.spawn(ask_onbod(jid));
                     if (turns_) turns_->message_came(jid);
                   });
  if (Environment::text_or("REHEARSAL_AGENTS", "") != "1") return;
  Gateway gateway;
  gateway.line = Line::Today;
  gateway.run = [this](const Turn& turn, std::string request) {
    return dispatch(daemon_, booted_->credentials, Environment::text_or("RUNED_URL", "http://runed:8080"),
                    turn.folder, std::move(request));
  };
  gateway.deliver = [this](std::string jid, std::string text) {
    return mailbox_->deliver(std::move(jid), std::move(text));
  };
  turns_.emplace(daemon_, booted_->config, booted_->store, std::move(gateway));
}

asio::awaitable<Response> Routd::handle(const Request& request, const Tcp::endpoint& peer) {
  const auto path = path_of(request);
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  if (path == "/v1/rehearsal/fire-tasks") co_return co_await fire_tasks(request);
  auto of_channels = co_await channels_->answer(request, peer);
  if (of_channels) co_return std::move(*of_channels);
  auto of_messages = co_await mailbox_->answer(request);
  if (of_messages) co_return std::move(*of_messages);
  co_return text_reply(404, "404 page not found\n");
}

// A chat without a group, while onboarding is on.
bool Routd::is_route_miss(std::string_view jid) {
  if (booted_->config.onboarding_enabled != "true") return false;
  const auto group = booted_->store.rows("SELECT 1 FROM groups WHERE name = ?1", {jid});
  return group && group->empty();
}

asio::awaitable<void> Routd::ask_onbod(std::string jid) {
  Call call;
  call.url = Environment::text_or("ONBOD_URL", "http://onbod:8080") + "/v1/onboarding";
  call.body = json::serialize(json::object{{"jid", json_text(jid)}});
  auto bearer = co_await booted_->credentials.bearer();
  std::string why = bearer ? "" : bearer.error();
  if (bearer) {
    call.bearer = *bearer;
    auto reply = co_await http_call(std::move(call));
    if (reply && reply->result_int() == 200) co_return;
    why = reply ? fmt::format("status {}", reply->result_int()) : reply.error();
  }
  daemon_.log().error("insert onboarding failed", {{"jid", jid}, {"err", why}});
  auto told = co_await mailbox_->deliver(jid, "Couldn't register this chat for setup");
  if (!told) daemon_.log().warn("outbound failed", {{"jid", jid}, {"err", told.error()}});
}

// What timed asks for: every task that is due becomes a message. The path is the rehearsal's own.
asio::awaitable<Response> Routd::fire_tasks(const Request& request) {
  const bool accepted = co_await booted_->credentials.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  const auto due = booted_->store.rows(
      "SELECT id, chat_jid, prompt FROM scheduled_tasks"
      " WHERE status = 'active' AND next_run <= strftime('%s', 'now') LIMIT 100");
  if (!due) co_return error_reply(500, due.error());
  for (const auto& task : *due) {
    (void)booted_->store.run(
        "INSERT INTO messages (id, chat_jid, sender, content, timestamp, source)"
        " VALUES (lower(hex(randomblob(16))), ?1, 'timed', ?2, datetime('now'), 'timed')",
        {task[1], task[2]});
    (void)booted_->store.run(
        "UPDATE scheduled_tasks SET next_run = strftime('%s', 'now') + max(60, interval_seconds) WHERE id = "
        "?1",
        {task[0]});
    daemon_.log().info("task fired", {{"task", task[0]}});
  }
  co_return json_reply(200, json::serialize(json::object{{"ok", true}, {"fired", due->size()}}));
}

}  // namespace

int run_routd() { return Routd().run(); }

}  // namespace rehearsal
