// A router's messages, as gated and routd keep them: what channels hand in, what goes out, and what waits for
// its channel.
#pragma once

#include "channels.hpp"
#include "store.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rehearsal {

class Mailbox {
 public:
  // `came`: a message of this chat is stored.
  Mailbox(Daemon& daemon, Store& store, Channels& channels, Credentials& credentials, std::string assistant,
          std::function<void(const std::string& jid)> came);

  // nullopt: neither POST /v1/messages nor /v1/outbound.
  asio::awaitable<std::optional<Response>> answer(const Request& request);
  // By the channel that the chat's last message came from.
  asio::awaitable<std::expected<void, std::string>> deliver(std::string jid, std::string text);
  // For ever: replies that found no channel stay pending and are tried every 30 s for 24 h.
  asio::awaitable<void> retry_pending();

 private:
  Response take(const Request& request);
  asio::awaitable<Response> send_out(const Request& request);

  Daemon& daemon_;
  Store& store_;
  Channels& channels_;
  Credentials& credentials_;
  std::string assistant_;
  std::function<void(const std::string& jid)> came_;
};

}  // namespace rehearsal
