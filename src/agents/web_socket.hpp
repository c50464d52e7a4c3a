// A WebSocket over a connection: the handshake, messages out, messages in, pings both ways. The protocol is
// Beast's; this class adds the limits in time. One reader and one sender at a time.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>

#include "connection.hpp"

namespace arizuko::agents {

namespace http = boost::beast::http;

class WebSocket : public std::enable_shared_from_this<WebSocket> {
 public:
  /// `connection` is open.
  WebSocket(asio::io_context& io, std::shared_ptr<Connection> connection);
  ~WebSocket();

  struct Request {
    std::string host;           // with the port
    std::string target;         // path and query
    std::string authorization;  // a header's value; "": none
    std::string protocols;      // those offered, the best one first
  };
  enum class Outcome {
    open,
    refused,      // an answer that is not 101; its body is there
    no_protocol,  // 101, and not what RFC 6455 wants behind it
    no_answer,
  };
  struct Answer {
    Outcome outcome = Outcome::no_answer;
    ErrorCode error;
    http::response<http::string_body> response;
  };
  /// The handshake, once and before all else.
  asio::awaitable<Answer> open(Request request, Clock::time_point limit);

  enum class Ending {
    closed,  // the server said good-bye
    cut,     // it did not, or was silent too long
  };
  /// Bytes of a message as they come, so it may be of any size; `begins` with its first ones.
  using OnMessage = std::function<void(std::string_view bytes, bool begins)>;

  /// Reads until the end; between two calls of `on_message` what `drain` returns is awaited.
  asio::awaitable<Ending> read(OnMessage on_message, std::function<asio::awaitable<void>()> drain);

  /// One binary message. False: the connection is gone.
  asio::awaitable<bool> send(std::string message);
  /// Says good-bye, and waits 5 s for the server's.
  asio::awaitable<void> close();
  /// At once and without a word: read() ends.
  void abort() { connection_->close(); }

 private:
  struct Stream;  // Beast's
  void watch_silence();
  void ping();

  std::shared_ptr<Connection> connection_;
  std::unique_ptr<Stream> stream_;
  asio::steady_timer silence_;
  bool pinged_ = false;   // and nothing has come since
  bool pinging_ = false;  // a ping is being written
};

}  // namespace arizuko::agents
