#include "connection.hpp"

#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace arizuko::agents {
namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds open_limit{5};

/// A watch may be silent for minutes: a peer that vanished must show all the same.
void keep_alive(asio::ip::tcp::socket& socket) {
  ErrorCode error;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  socket.set_option(asio::socket_base::keep_alive(true), error);
  constexpr std::array<std::pair<int, int>, 3> options{
      {{TCP_KEEPIDLE, 15}, {TCP_KEEPINTVL, 5}, {TCP_KEEPCNT, 3}}};
  for (const auto& [option, value] : options)
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
}

}  // namespace

Connection::Connection(asio::io_context& io, asio::ssl::context& tls)
    : stream_(io, tls), read_limit_(io), write_limit_(io) {}

void Connection::limit(asio::steady_timer& timer, Clock::time_point at) {
  timer.expires_at(at);
  timer.async_wait([weak = weak_from_this(), &timer](ErrorCode error) {
    const auto self = weak.lock();
    // A limit that was just replaced by a later one is none.
    if (error || !self || timer.expiry() > Clock::now()) return;
    self->timed_out_ = true;
    self->close();
  });
}

ErrorCode Connection::told(asio::steady_timer& timer, ErrorCode error) {
  timer.expires_at(Clock::time_point::max());
  return error && timed_out_ ? ErrorCode{asio::error::timed_out} : error;
}

void Connection::close() {
  ErrorCode error;
  stream_.next_layer().close(error);
}

asio::awaitable<ErrorCode> Connection::open(Peer peer, Clock::time_point limit_at) {
  const auto self = shared_from_this();
  ErrorCode error;
  limit(read_limit_, std::min(Clock::now() + open_limit, limit_at));
  auto [refused] = co_await stream_.next_layer().async_connect(peer.endpoint, as_pair);
  if (refused) co_return told(read_limit_, refused);
  keep_alive(stream_.next_layer());
  stream_.set_verify_callback(asio::ssl::host_name_verification(peer.tls_name), error);
  if (peer.by_name) SSL_set_tlsext_host_name(stream_.native_handle(), peer.tls_name.c_str());
  limit(read_limit_, std::min(Clock::now() + open_limit, limit_at));
  auto [untrusted] = co_await stream_.async_handshake(asio::ssl::stream_base::client, as_pair);
  co_return told(read_limit_, untrusted);
}

asio::awaitable<Connection::Got> Connection::read(std::span<char> into, Clock::time_point limit_at) {
  const auto self = shared_from_this();
  limit(read_limit_, limit_at);
  auto [error, bytes] = co_await stream_.async_read_some(asio::buffer(into.data(), into.size()), as_pair);
  co_return Got{told(read_limit_, error), bytes};
}

asio::awaitable<ErrorCode> Connection::write(std::string_view bytes, Clock::time_point limit_at) {
  const auto self = shared_from_this();
  limit(write_limit_, limit_at);
  ErrorCode failed;
  while (!bytes.empty() && !failed) {
    auto [error, written] =
        co_await stream_.async_write_some(asio::buffer(bytes.data(), bytes.size()), as_pair);
    bytes.remove_prefix(written);
    failed = error;
  }
  co_return told(write_limit_, failed);
}

void Connection::start_read(asio::mutable_buffer into, Clock::time_point limit_at, Transferred done) {
  limit(read_limit_, limit_at);
  stream_.async_read_some(
      into, [self = shared_from_this(), done = std::move(done)](ErrorCode error, std::size_t bytes) mutable {
        std::move(done)(self->told(self->read_limit_, error), bytes);
      });
}

void Connection::start_write(std::string bytes, Clock::time_point limit_at, Transferred done) {
  limit(write_limit_, limit_at);
  outgoing_ = std::move(bytes);
  stream_.async_write_some(asio::buffer(outgoing_), [self = shared_from_this(), done = std::move(done)](
                                                        ErrorCode error, std::size_t written) mutable {
    std::move(done)(self->told(self->write_limit_, error), written);
  });
}

}  // namespace arizuko::agents
