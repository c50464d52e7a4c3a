// The registry over HTTP, as gated and routd serve it: register, deregister, list; the looks at each
// channel's health; and a text on its way out.
#pragma once

#include "credentials.hpp"
#include "daemon.hpp"
#include "registry.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

namespace rehearsal {

// In hex, at most 32 bytes.
std::string random_hex(std::size_t bytes);

class Channels {
 public:
  Channels(Daemon& daemon, Credentials& credentials) : daemon_(daemon), credentials_(credentials) {}

  // nullopt: the request is none of register, deregister, list.
  asio::awaitable<std::optional<Response>> answer(const Request& request, const Tcp::endpoint& peer);
  // Whose token the request shows: that of its registration.
  const Channel* sender_of(const Request& request) { return registry_.by_token(bearer_of(request)); }
  // Through the channel `preferred` if it owns the JID, else through any that does.
  asio::awaitable<std::expected<void, std::string>> send(std::string jid, std::string preferred,
                                                         std::string text);
  // For ever: a channel whose /health fails three times, 30 s apart, is dropped, and nothing tells it (T41,
  // N7). REHEARSAL_HEALTH_MS is the rehearsal's own, for who cannot wait for 90 s.
  asio::awaitable<void> look_at_health();

 private:
  Response register_channel(const Request& request, const Tcp::endpoint& peer);
  Response deregister_channel(const Request& request);
  Response list() const;
  asio::awaitable<void> look_at(std::string name, std::string url);

  Daemon& daemon_;
  Credentials& credentials_;
  Registry registry_;
};

}  // namespace rehearsal
