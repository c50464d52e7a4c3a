// A Connection as Beast's WebSocket wants its stream (AsyncStream): one plain layer, which keeps Beast's
// templates from being made over TLS and TCP.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <optional>

#include "connection.hpp"

namespace arizuko::agents {

class ByteStream {
 public:
  using executor_type = asio::io_context::executor_type;

  ByteStream(asio::io_context& io, std::shared_ptr<Connection> connection)
      : executor_(io.get_executor()), connection_(std::move(connection)) {}

  executor_type get_executor() noexcept { return executor_; }

  /// When each step that begins from now on must be done; nullopt: reading may take for ever, writing 30 s.
  void limit(std::optional<Clock::time_point> at) { limit_ = at; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [this](auto&& handler, const Buffers& into) {
          connection_->start_read(first_of(into), limit_.value_or(Clock::time_point::max()),
                                  std::forward<decltype(handler)>(handler));
        },
        token, buffers);
  }

  /// A frame's head and its payload go out as one piece: a TLS record, and a packet.
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [this](auto&& handler, const Buffers& from) {
          std::string bytes(std::min(asio::buffer_size(from), most_at_once_bytes), '\0');
          asio::buffer_copy(asio::buffer(bytes), from);
          connection_->start_write(std::move(bytes), limit_.value_or(Clock::now() + write_limit),
                                   std::forward<decltype(handler)>(handler));
        },
        token, buffers);
  }

  /// What Beast does when both sides have said good-bye, or one of them broke the rules.
  template <class Handler>
  friend void async_teardown(boost::beast::role_type, ByteStream& stream, Handler&& handler) {
    stream.connection_->close();
    asio::post(stream.executor_,
               [done = std::forward<Handler>(handler)]() mutable { std::move(done)(ErrorCode{}); });
  }
  friend void beast_close_socket(ByteStream& stream) { stream.connection_->close(); }

 private:
  static constexpr std::chrono::seconds write_limit{30};
  static constexpr std::size_t most_at_once_bytes = 16 << 10;  // a TLS record

  template <class Buffers>
  static asio::mutable_buffer first_of(const Buffers& buffers) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at)
      if (asio::mutable_buffer(*at).size() > 0) return *at;
    return {};
  }

  executor_type executor_;
  std::shared_ptr<Connection> connection_;
  std::optional<Clock::time_point> limit_;
};

}  // namespace arizuko::agents
