// A WebSocket over a connection whose handshake is done: messages out, messages in, pings both ways.
#pragma once

#include "connection.hpp"
#include "frames.hpp"

namespace arizuko::agents {

class WebSocket : public std::enable_shared_from_this<WebSocket> {
 public:
  /// `begun`: what came behind the handshake's answer.
  WebSocket(asio::io_context& io, std::shared_ptr<Connection> connection, std::string begun);

  enum class Ending {
    closed,  // the server said good-bye
    cut,     // it did not, or was silent too long
  };
  using OnMessage = std::function<void(std::string_view bytes, bool begins)>;

  /// Reads until the end; between two calls of `on_message` what `drain` returns is awaited. One at a time.
  asio::awaitable<Ending> read(OnMessage on_message, std::function<asio::awaitable<void>()> drain);

  /// False: the connection is gone.
  asio::awaitable<bool> send(std::string message);
  /// Says good-bye; what the server then sends is not waited for.
  asio::awaitable<void> close();
  /// At once and without a word: read() ends.
  void abort() { connection_->close(); }

 private:
  asio::awaitable<bool> send_frame(Opcode opcode, std::string payload);
  void answer(Opcode opcode, std::string payload);
  void watch_silence();

  asio::io_context& io_;
  std::shared_ptr<Connection> connection_;
  FrameReader reader_;
  std::string begun_;
  std::string outbox_;
  asio::steady_timer silence_;
  bool pinged_ = false;
  bool writing_ = false;
  bool broken_ = false;
  bool closed_ = false;
};

}  // namespace arizuko::agents
