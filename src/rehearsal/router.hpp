// An adapter's side of gated or routd (chanlib): registering, handing messages in, deregistering.
// Contract section 5.
#pragma once

#include "credentials.hpp"
#include "daemon.hpp"

#include <deque>
#include <expected>
#include <string>
#include <vector>

namespace rehearsal {

struct RouterAccess {
  std::string router_url;  // ROUTER_URL
  Credentials credentials;
  std::string name, url;  // what is registered: CHANNEL_NAME, LISTEN_URL
  std::vector<std::string> prefixes;
};

// Go adapters and webd register again when a message gets 401; whapd and twitd never do (T6).
enum class OnUnauthorized { RegisterAgain, GiveUp };

class RouterClient {
 public:
  RouterClient(Daemon& daemon, RouterAccess access, OnUnauthorized rule)
      : daemon_(daemon), access_(std::move(access)), rule_(rule) {}

  // One POST, 10 s. The error is a sentence with the router's status in it.
  asio::awaitable<std::expected<void, std::string>> register_once();
  // 2 s, 4 s ... 30 s between tries, for ever: whapd and twitd.
  asio::awaitable<void> register_until_done();
  // For ever, every 3 min: registers again, whether it is known or not. Today's Go adapters do it, webd does
  // not (N7). REHEARSAL_HEARTBEAT_MS is the rehearsal's own.
  asio::awaitable<void> heartbeat();
  // Two tries, 0.5 s apart; a 401 is answered by registering first, if the rule says so.
  asio::awaitable<std::expected<void, std::string>> hand_in(std::string message);
  asio::awaitable<void> deregister();

  // POST /v1/rehearsal/inbound: a message "from the platform", handed in to the router.
  // `message_out` gets the JSON that was made, to be kept if it could not be delivered.
  std::expected<std::string, std::string> make_message(std::string_view body, std::string_view own_prefix);

  // POST /send, as the router calls it, and GET /v1/rehearsal/outbound, which
  // lists the last hundred of what was sent. nullopt: the request is neither.
  asio::awaitable<std::optional<Response>> answer(const Request& request);

 private:
  asio::awaitable<std::expected<unsigned, std::string>> post(std::string path, std::string body,
                                                             std::string bearer);
  Daemon& daemon_;
  RouterAccess access_;
  OnUnauthorized rule_;
  std::string token_;
  std::deque<std::string> outbound_;
  unsigned made_ = 0;
};

}  // namespace rehearsal
