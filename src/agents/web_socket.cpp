#include "web_socket.hpp"

#include <sys/random.h>

#include <boost/asio/co_spawn.hpp>

namespace arizuko::agents {
namespace {

constexpr std::chrono::seconds write_limit{30};
constexpr std::chrono::seconds ping_after{30};  // of silence; and the same again for the answer
constexpr std::size_t chunk_bytes = 8192;

Mask random_mask() {
  Mask mask{};
  (void)!::getrandom(mask.data(), mask.size(), 0);  // four bytes are never cut short: getrandom(2)
  return mask;
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

WebSocket::WebSocket(asio::io_context& io, std::shared_ptr<Connection> connection, std::string begun)
    : io_(io), connection_(std::move(connection)), begun_(std::move(begun)), silence_(io) {}

/// Waits for the connection to be writable by one frame at a time: what another one wants to send meanwhile
/// goes out behind it.
asio::awaitable<bool> WebSocket::send_frame(Opcode opcode, std::string payload) {
  const auto self = shared_from_this();
  outbox_ += frame(opcode, payload, random_mask());
  if (writing_) co_return !broken_;
  writing_ = true;
  while (!outbox_.empty() && !broken_) {
    const auto bytes = std::exchange(outbox_, {});
    const auto error = co_await connection_->write(bytes, Clock::now() + write_limit);
    if (error) broken_ = true;
  }
  writing_ = false;
  co_return !broken_;
}

asio::awaitable<bool> WebSocket::send(std::string message) {
  return send_frame(Opcode::binary, std::move(message));
}

asio::awaitable<void> WebSocket::close() {
  const std::string normal{"\x03\xe8", 2};  // 1000
  co_await send_frame(Opcode::close, normal);
}

void WebSocket::answer(Opcode opcode, std::string payload) {
  asio::co_spawn(io_, send_frame(opcode, std::move(payload)),
                 [self = shared_from_this()](std::exception_ptr error, bool) { rethrow(error); });
}

/// A peer that does not even answer a ping is not there: its connection is closed, which ends read().
void WebSocket::watch_silence() {
  silence_.expires_after(ping_after);
  silence_.async_wait([weak = weak_from_this()](ErrorCode error) {
    const auto self = weak.lock();
    if (error || !self) return;
    if (self->pinged_) return self->connection_->close();
    self->pinged_ = true;
    self->answer(Opcode::ping, "");
    self->watch_silence();
  });
}

asio::awaitable<WebSocket::Ending> WebSocket::read(OnMessage on_message,
                                                   std::function<asio::awaitable<void>()> drain) {
  const auto self = shared_from_this();
  const FrameReader::Handler handler{std::move(on_message), [this](Opcode opcode, std::string_view payload) {
                                       if (opcode == Opcode::ping) answer(Opcode::pong, std::string{payload});
                                       if (opcode == Opcode::close) closed_ = true;
                                     }};
  std::array<char, chunk_bytes> chunk{};
  bool fine = reader_.feed(std::exchange(begun_, {}), handler);
  co_await drain();
  while (fine && !closed_) {
    watch_silence();
    const auto got = co_await connection_->read(chunk, Clock::time_point::max());
    pinged_ = false;
    if (got.error) break;
    fine = reader_.feed({chunk.data(), got.bytes}, handler);
    silence_.cancel();  // a slow reader on our side is no silence of the peer
    co_await drain();
  }
  silence_.cancel();
  if (closed_) co_await close();
  connection_->close();
  co_return closed_ ? Ending::closed : Ending::cut;
}

}  // namespace arizuko::agents
