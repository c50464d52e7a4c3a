#include "turns.hpp"

#include "docker.hpp"
#include "json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace rehearsal {
namespace {

constexpr auto look_every = std::chrono::seconds(2);
constexpr auto longest_kill = std::chrono::minutes(10);
constexpr std::string_view group = "main";

bool is_local(std::string_view jid) { return jid.find(':') == std::string_view::npos; }

std::string joined(const std::vector<Store::Row>& messages) {
  std::string text;
  for (const auto& message : messages) text += (text.empty() ? "" : "\n") + message[1];
  return text;
}

// ipc/<group>/input/<ms>-<number>.json, by rename, as gated's writeIpcFile.
bool write_input(const std::string& directory, std::string_view text) {
  static unsigned made = 0;
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto path = fmt::format("{}/{}-{:04}.json", directory, now.count(), ++made % 10'000);
  std::ofstream(path + ".tmp") << json::serialize(
      json::object{{"type", "message"}, {"text", json_text(text)}});
  std::filesystem::rename(path + ".tmp", path, failed);
  return !failed;
}

}  // namespace

Turns::Turns(Daemon& daemon, const Config& config, Store& store, Gateway gateway)
    : daemon_(daemon),
      config_(config),
      store_(store),
      gateway_(std::move(gateway)),
      chats_(static_cast<std::size_t>(
          std::max<std::int64_t>(1, Environment::int_or("MAX_CONCURRENT_CONTAINERS", 5)))) {}

std::vector<Store::Row> Turns::pending(const std::string& jid) {
  return store_
      .rows(
          "SELECT id, content FROM messages WHERE chat_jid = ?1 AND status = 'received' AND is_from_me = 0"
          " ORDER BY rowid LIMIT 100",
          {jid})
      .value_or(std::vector<Store::Row>{});
}

void Turns::mark(const std::vector<Store::Row>& messages, std::string_view status) {
  for (const auto& message : messages)
    (void)store_.run("UPDATE messages SET status = ?1 WHERE id = ?2", {status, message[0]});
}

void Turns::message_came(const std::string& jid) {
  if (const auto failures = chats_.reset_breaker(jid); failures != 0)
    daemon_.log().info("circuit breaker reset by new message", {{"groupJid", jid}, {"failures", failures}});
  const auto container = chats_.container(jid);
  if (!container) return start(jid);
  if (gateway_.line == Line::Today) return;  // its turn's end looks for it
  if (steering_.insert(jid).second) daemon_.spawn(steer(jid, *container));
}

void Turns::start(const std::string& jid) {
  const auto messages = pending(jid);
  if (messages.empty()) return;
  Turn turn;
  turn.folder = group;
  turn.chat_jid = jid;
  turn.prompt = joined(messages);
  turn.container = container_name(config_, turn.folder);
  const auto number = chats_.begin(jid, turn.container);
  if (!number) return;
  mark(messages, "taken");
  turn.id = fmt::format("{}-{}", messages.back()[0], *number);
  daemon_.spawn(run(*number, std::move(turn), messages));
}

asio::awaitable<void> Turns::run(std::uint64_t number, Turn turn, std::vector<Store::Row> messages) {
  const auto jid = turn.chat_jid;
  auto answer = co_await sockets_.run(daemon_, config_, std::move(turn), gateway_.run);
  if (answer) {
    daemon_.log().info("agent done", {{"jid", jid}});
    if (!answer->empty()) co_await tell(jid, *answer);
  } else {
    daemon_.log().error("agent failed", {{"jid", jid}, {"err", answer.error()}});
    if (gateway_.line == Line::Today) mark(messages, "errored");
    if (gateway_.line == Line::Gated) co_await tell(jid, "Failed: agent error");
  }
  const auto failures = chats_.end(jid, number, answer.has_value());
  if (failures >= breaker_opens_at) {
    daemon_.log().error("circuit breaker open - too many consecutive failures",
                        {{"groupJid", jid}, {"failures", failures}});
  }
  // What came meanwhile, the own failure's text in a local chat too, is looked for at once: no pause (T40).
  if (!chats_.container(jid)) start(jid);
  for (const auto& waiting : chats_.take_waiting()) start(waiting);
}

// Into the database for a local chat: by gated as an inbound message like any other, by routd as one that is
// told.
asio::awaitable<void> Turns::tell(std::string jid, std::string text) {
  if (is_local(jid)) {
    const std::string_view status = gateway_.line == Line::Today ? "sent" : "received";
    const auto stored = store_.run(
        "INSERT INTO messages (id, chat_jid, sender, content, timestamp, source, status)"
        " VALUES ('local-' || lower(hex(randomblob(16))), ?1, 'local', ?2, datetime('now'), 'local', ?3)",
        {jid, text, status});
    if (!stored) daemon_.log().error("store message", {{"err", stored.error()}});
    co_return;
  }
  auto sent = co_await gateway_.deliver(jid, text);
  if (!sent) daemon_.log().warn("outbound failed", {{"jid", jid}, {"err", sent.error()}});
}

// Steering: the message lies in a file, and the agent is told to look. Where that fails gated takes the
// agent for gone: the slot is free, and the next turn of the chat begins beside it.
asio::awaitable<void> Turns::steer(std::string jid, std::string container) {
  const auto messages = pending(jid);
  bool written = !messages.empty();
  for (const auto& message : messages)
    written = write_input(fmt::format("{}/ipc/{}/input", config_.data_dir, group), message[1]) && written;
  if (written) {
    std::vector<std::string> words{"kill", "--signal=SIGUSR1", container};
    auto told = co_await docker(daemon_, std::move(words), longest_kill);
    if (told) {
      mark(messages, "taken");
      daemon_.log().info("steer: sent messages into running container", {{"jid", jid}});
    } else {
      daemon_.log().warn("steer failed, slot freed", {{"jid", jid}, {"err", told.error()}});
      if (chats_.container(jid) == container) chats_.forget(jid);
    }
  }
  steering_.erase(jid);
  if (!chats_.container(jid)) start(jid);
}

asio::awaitable<void> Turns::poll() {
  for (;;) {
    co_await daemon_.sleep(look_every);
    const auto waiting = store_.rows(
        "SELECT DISTINCT chat_jid FROM messages WHERE status = 'received' AND is_from_me = 0 LIMIT 1000");
    if (!waiting) continue;
    for (const auto& row : *waiting) message_came(row[0]);
  }
}

}  // namespace rehearsal
