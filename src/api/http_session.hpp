// One connection of an HttpServer: what has arrived on it, how long it may wait, and its end.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http_server.hpp"
#include "places.hpp"

namespace arizuko::api {

/// Awaits without an exception: what went wrong is in `error`.
inline auto into(boost::system::error_code& error) {
  return boost::asio::redirect_error(boost::asio::use_awaitable_t<boost::asio::io_context::executor_type>{},
                                     error);
}

// More than this is not left to the kernel, which would offer it to a peer that does not read.
inline constexpr int left_to_the_kernel = 4 * 1024;

/// Bytes that the peer has not taken: tcp(7), SIOCOUTQ. The end of the stream counts as one.
inline int not_taken(Socket& socket) {
  int bytes = 0;
  return ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

struct HttpServer::Session {
  enum class Waits { for_request, for_reader, for_news, for_parting };

  Session(Socket accepted, Caller who, std::size_t buffer_bytes)
      : socket(std::move(accepted)),
        timer(socket.get_executor()),
        caller(std::move(who)),
        peer(peer_of(socket.native_handle())),
        buffer(buffer_bytes) {}

  Socket socket;
  Timer timer;
  Caller caller;
  std::string peer;
  std::vector<char> buffer;  // never grows
  std::size_t used = 0;      // of it: what has arrived and was not used yet
  bool open = true;
  bool asked = false;  // at least once
  Waits waits = Waits::for_request;
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  bool timed_out = false;
  bool changed = false;  // the instance has something new
  bool peer_gone = false;
  std::uint32_t armed = 0;  // tells a time-out of an earlier wait from one of this wait
  std::uint64_t subscription = 0;

  std::string_view unread() const { return {buffer.data(), used}; }
  void use(std::size_t bytes) {
    std::move(buffer.begin() + static_cast<std::ptrdiff_t>(bytes),
              buffer.begin() + static_cast<std::ptrdiff_t>(used), buffer.begin());
    used -= bytes;
  }
  void wait(Waits what) {
    waits = what;
    since = std::chrono::steady_clock::now();
  }
  Claim claim() const {
    return {waits == Waits::for_news ? Claim::Waits::for_news : Claim::Waits::for_its_peer, since, peer};
  }

  /// Cancels what the socket does when `patience` is over.
  static void arm(const std::shared_ptr<Session>& self, std::chrono::milliseconds patience) {
    self->timed_out = false;
    const std::uint32_t mine = ++self->armed;
    self->timer.expires_after(patience);
    self->timer.async_wait([weak = std::weak_ptr(self), mine](boost::system::error_code error) {
      const auto session = weak.lock();
      if (error || !session || session->armed != mine || !session->open) return;
      session->timed_out = true;
      boost::system::error_code ignored;
      session->socket.cancel(ignored);
    });
  }
  void disarm() {
    ++armed;
    timer.cancel();
  }
  void close() {
    open = false;
    disarm();
    boost::system::error_code ignored;
    if (not_taken(socket) > left_to_the_kernel) {
      // A reset: else the kernel keeps it after the close, for as long as the peer likes.
      socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    } else {
      socket.shutdown(Socket::shutdown_send, ignored);
      // Unread bytes would turn our close into a reset, and the answer would be lost with it.
      std::array<char, 4096> unread_bytes;
      for (int i = 0; i < 16; ++i) {
        if (::recv(socket.native_handle(), unread_bytes.data(), unread_bytes.size(), MSG_DONTWAIT) <= 0)
          break;
      }
    }
    socket.close(ignored);
  }
};

}  // namespace arizuko::api
