// The gateway of gated and routd: a message becomes a turn of its chat's agent, the answer a message.
//
// gated tells a failed turn to the chat. Where that is a local chat (`main`: no channel, no colon in its
// name) the telling is stored as an inbound message and so starts the next turn: trap T40. A message for a
// chat whose turn is running is steered into it by `docker kill`. routd marks the messages of a failed turn
// as errored, once, and a message that comes meanwhile waits for the turn's end.
#pragma once

#include "chats.hpp"
#include "line.hpp"
#include "store.hpp"
#include "turn.hpp"

#include <functional>
#include <set>
#include <string>

namespace rehearsal {

struct Gateway {
  AgentRun run;
  // Brings a text to the channel that owns the chat.
  std::function<asio::awaitable<std::expected<void, std::string>>(std::string jid, std::string text)> deliver;
  Line line = Line::Gated;
};

class Turns {
 public:
  Turns(Daemon& daemon, const Config& config, Store& store, Gateway gateway);

  // A message of this chat is stored.
  void message_came(const std::string& jid);
  // What others wrote into the database (timed), and what an earlier run did not get to: every 2 s.
  asio::awaitable<void> poll();

 private:
  void start(const std::string& jid);
  asio::awaitable<void> run(std::uint64_t number, Turn turn, std::vector<Store::Row> messages);
  asio::awaitable<void> steer(std::string jid, std::string container);
  asio::awaitable<void> tell(std::string jid, std::string text);
  std::vector<Store::Row> pending(const std::string& jid);  // id, content
  void mark(const std::vector<Store::Row>& messages, std::string_view status);

  Daemon& daemon_;
  const Config& config_;
  Store& store_;
  Gateway gateway_;
  Chats chats_;
  TurnSockets sockets_;
  std::set<std::string> steering_;
};

}  // namespace rehearsal
