// gated's gateway: a message becomes a turn of its chat's agent, the answer or the failure a message.
//
// A failed turn is told to the chat. Where that is a local chat (`main`: no channel, no colon in its name)
// the telling is stored as an inbound message and so starts the next turn: trap T40.
#pragma once

#include "chats.hpp"
#include "store.hpp"
#include "turn.hpp"

#include <functional>
#include <set>
#include <string>

namespace rehearsal {

class Turns {
 public:
  // Brings a text to the channel that owns the chat.
  using Deliver =
      std::function<asio::awaitable<std::expected<void, std::string>>(std::string jid, std::string text)>;
  Turns(Daemon& daemon, const Config& config, Store& store, Deliver deliver);

  // A message of this chat is stored.
  void message_came(const std::string& jid);
  // What others wrote into the database (timed), and what an earlier gated did not get to: every 2 s.
  asio::awaitable<void> poll();

 private:
  void start(const std::string& jid);
  asio::awaitable<void> run(std::uint64_t number, Turn turn);
  asio::awaitable<void> steer(std::string jid, std::string container);
  asio::awaitable<void> tell(std::string jid, std::string text);
  std::vector<Store::Row> pending(const std::string& jid);  // id, content
  void mark_taken(const std::vector<Store::Row>& messages);

  Daemon& daemon_;
  const Config& config_;
  Store& store_;
  Deliver deliver_;
  Chats chats_;
  TurnSockets sockets_;
  std::set<std::string> steering_;
};

}  // namespace rehearsal
