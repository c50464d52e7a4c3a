#include "web_socket.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "byte_stream.hpp"

namespace arizuko::agents {
namespace {

namespace websocket = boost::beast::websocket;

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds close_limit{5};
constexpr std::chrono::seconds ping_after{30};  // of silence; and the same again for the answer
constexpr std::size_t chunk_bytes = 8192;
constexpr std::size_t written_at_once_bytes = 16 << 10;

WebSocket::Outcome outcome_of(const ErrorCode& error) {
  using enum WebSocket::Outcome;
  if (!error) return open;
  if (error == websocket::error::upgrade_declined) return refused;
  return error == websocket::condition::handshake_failed ? no_protocol : no_answer;
}

}  // namespace

/// Without compression, which would bring zlib.
struct WebSocket::Stream : websocket::stream<ByteStream, false> {
  using stream::stream;
};

WebSocket::WebSocket(asio::io_context& io, std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)),
      stream_(std::make_unique<Stream>(ByteStream(io, connection_))),
      silence_(io) {
  stream_->binary(true);
  stream_->auto_fragment(false);
  stream_->read_message_max(0);  // handed on in pieces, never kept
  stream_->write_buffer_bytes(written_at_once_bytes);
}

WebSocket::~WebSocket() = default;

asio::awaitable<WebSocket::Answer> WebSocket::open(Request request, Clock::time_point limit) {
  const auto self = shared_from_this();
  const auto decorate = [&request](websocket::request_type& head) {
    head.set(http::field::user_agent, "arizuko-docker");
    head.set(http::field::sec_websocket_protocol, request.protocols);
    if (!request.authorization.empty()) head.set(http::field::authorization, request.authorization);
  };
  stream_->set_option(websocket::stream_base::decorator(decorate));
  stream_->next_layer().limit(limit);
  Answer answer;
  auto [error] = co_await stream_->async_handshake(answer.response, request.host, request.target, as_pair);
  stream_->next_layer().limit(std::nullopt);
  stream_->set_option(websocket::stream_base::decorator([](websocket::request_type&) {}));
  answer.error = error;
  answer.outcome = outcome_of(error);
  co_return answer;
}

/// Waits until the message is written.
asio::awaitable<bool> WebSocket::send(std::string message) {
  const auto self = shared_from_this();
  auto [error, bytes] = co_await stream_->async_write(asio::buffer(message), as_pair);
  (void)bytes;
  co_return !error;
}

asio::awaitable<void> WebSocket::close() {
  const auto self = shared_from_this();
  stream_->next_layer().limit(Clock::now() + close_limit);
  auto [error] = co_await stream_->async_close(websocket::close_code::normal, as_pair);
  (void)error;  // it is over in any case
  connection_->close();
}

void WebSocket::ping() {
  pinged_ = true;
  if (pinging_) return;
  pinging_ = true;
  // What goes wrong with it shows when reading.
  stream_->async_ping({}, [self = shared_from_this()](ErrorCode) { self->pinging_ = false; });
}

/// A peer that does not even answer a ping is not there: its connection is closed, which ends read(). Beast's
/// own idle timeout would also count while nobody reads, and a slow reader on our side is no silence of the
/// peer.
void WebSocket::watch_silence() {
  silence_.expires_after(ping_after);
  silence_.async_wait([weak = weak_from_this()](ErrorCode error) {
    const auto self = weak.lock();
    if (error || !self) return;
    if (self->pinged_) return self->abort();
    self->ping();
    self->watch_silence();
  });
}

asio::awaitable<WebSocket::Ending> WebSocket::read(OnMessage on_message,
                                                   std::function<asio::awaitable<void>()> drain) {
  const auto self = shared_from_this();
  stream_->control_callback([weak = weak_from_this()](websocket::frame_type, boost::beast::string_view) {
    const auto here = weak.lock();
    if (!here) return;
    here->pinged_ = false;
    here->watch_silence();
  });
  std::array<char, chunk_bytes> chunk{};
  ErrorCode ended;
  for (bool begins = true; !ended;) {
    watch_silence();
    auto [error, bytes] = co_await stream_->async_read_some(asio::buffer(chunk), as_pair);
    silence_.cancel();
    pinged_ = false;
    ended = error;
    if (bytes > 0) on_message({chunk.data(), bytes}, std::exchange(begins, false));
    if (stream_->is_message_done()) begins = true;
    co_await drain();
  }
  connection_->close();
  co_return ended == websocket::error::closed ? Ending::closed : Ending::cut;
}

}  // namespace arizuko::agents
