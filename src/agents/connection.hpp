// One TLS connection to the API server; each step has its own limit in time, and what runs over it closes the
// connection. Everything else (HTTP, WebSocket) is bytes to it.
//
// Beast's streams would do the same, but each of their operations is a template over all layers below: this
// one class in their place, and parsers that only see bytes, halve the program. byte_stream.hpp makes it the
// layer below Beast's WebSocket.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace arizuko::agents {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Peer {
    asio::ip::tcp::endpoint endpoint;
    std::string tls_name;  // what its certificate must be for
    bool by_name = false;  // a name, not an address: asked for in the handshake too
  };

  Connection(asio::io_context& io, asio::ssl::context& tls);

  /// Connected, and the peer's certificate checked: 5 s each, and all of it before `limit`.
  asio::awaitable<ErrorCode> open(Peer peer, Clock::time_point limit);

  struct Got {
    ErrorCode error;
    std::size_t bytes = 0;
  };
  /// What is there, at most all of `into`. One reader and one writer at a time.
  asio::awaitable<Got> read(std::span<char> into, Clock::time_point limit);
  asio::awaitable<ErrorCode> write(std::string_view bytes, Clock::time_point limit);

  using Transferred = asio::any_completion_handler<void(ErrorCode, std::size_t)>;
  /// The same two, a part each and told by a call.
  void start_read(asio::mutable_buffer into, Clock::time_point limit, Transferred done);
  void start_write(std::string bytes, Clock::time_point limit, Transferred done);

  /// What waits for this connection ends with an error.
  void close();

 private:
  void limit(asio::steady_timer& timer, Clock::time_point at);
  ErrorCode told(asio::steady_timer& timer, ErrorCode error);

  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  asio::steady_timer read_limit_;
  asio::steady_timer write_limit_;
  std::string outgoing_;  // by start_write
  bool timed_out_ = false;
};

}  // namespace arizuko::agents
