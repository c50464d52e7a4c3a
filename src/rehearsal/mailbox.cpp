#include "mailbox.hpp"

#include "json.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

constexpr auto retry_every = std::chrono::seconds(30);

}  // namespace

Mailbox::Mailbox(Daemon& daemon, Store& store, Channels& channels, Credentials& credentials,
                 std::string assistant, std::function<void(const std::string& jid)> came)
    : daemon_(daemon),
      store_(store),
      channels_(channels),
      credentials_(credentials),
      assistant_(std::move(assistant)),
      came_(std::move(came)) {}

asio::awaitable<std::optional<Response>> Mailbox::answer(const Request& request) {
  if (request.method() != http::verb::post) co_return std::nullopt;
  const auto path = path_of(request);
  if (path == "/v1/messages") co_return take(request);
  if (path == "/v1/outbound") {
    auto reply = co_await send_out(request);
    co_return reply;
  }
  co_return std::nullopt;
}

// The bearer is the token of the registration: after a restart of the router it is unknown, 401, and a Go
// adapter registers again because of it.
Response Mailbox::take(const Request& request) {
  const auto* channel = channels_.sender_of(request);
  if (channel == nullptr) return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) return error_reply(400, "invalid json");
  const auto jid = text_at(*body, "chat_jid");
  if (!owns(*channel, jid)) return error_reply(400, "jid prefix mismatch");
  auto id = text_at(*body, "id");
  if (id.empty()) id = random_hex(16);
  const auto stored = store_.run(
      "INSERT OR IGNORE INTO messages (id, chat_jid, sender, content, timestamp, source)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
      {id, jid, text_at(*body, "sender"), text_at(*body, "content"), text_at(*body, "timestamp"),
       channel->name});
  if (!stored) {
    daemon_.log().error("store message", {{"err", stored.error()}});
    return error_reply(500, stored.error());
  }
  came_(jid);
  return json_reply(200, R"({"ok":true})");
}

asio::awaitable<Response> Mailbox::send_out(const Request& request) {
  const bool accepted = co_await credentials_.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  const auto body = parse_object(request.body());
  if (!body) co_return error_reply(400, "invalid json");
  const auto jid = text_at(*body, "jid");
  const auto text = text_at(*body, "text");
  auto sent = co_await deliver(jid, text);
  const std::string status = sent ? "sent" : "pending";
  const auto id = random_hex(16);
  const auto kept = store_.run(
      "INSERT INTO messages (id, chat_jid, sender, content, timestamp, is_from_me, status)"
      " VALUES (?1, ?2, ?3, ?4, datetime('now'), 1, ?5)",
      {id, jid, assistant_, text, status});
  if (!kept) daemon_.log().error("store message", {{"err", kept.error()}});
  if (sent) co_return json_reply(200, R"({"ok":true,"status":"sent"})");
  daemon_.log().warn("outbound failed", {{"jid", jid}, {"err", sent.error()}});
  co_return json_reply(502, json::serialize(json::object{
                                {"ok", false}, {"error", json_text(sent.error())}, {"status", "pending"}}));
}

asio::awaitable<std::expected<void, std::string>> Mailbox::deliver(std::string jid, std::string text) {
  const auto last = store_.rows(
      "SELECT source FROM messages WHERE chat_jid = ?1 AND is_from_me = 0 ORDER BY rowid DESC LIMIT 1",
      {jid});
  std::string preferred = last && !last->empty() ? last->front().front() : "";
  auto sent = co_await channels_.send(std::move(jid), std::move(preferred), std::move(text));
  co_return sent;
}

asio::awaitable<void> Mailbox::retry_pending() {
  for (;;) {
    co_await daemon_.sleep(retry_every);
    const auto pending = store_.rows(
        "SELECT id, chat_jid, content FROM messages WHERE status = 'pending'"
        " AND timestamp > datetime('now', '-1 day') ORDER BY rowid LIMIT 100");
    if (!pending) continue;
    for (const auto& row : *pending) {
      auto sent = co_await deliver(row[1], row[2]);
      if (sent) (void)store_.run("UPDATE messages SET status = 'sent' WHERE id = ?1", {row[0]});
    }
  }
}

}  // namespace rehearsal
