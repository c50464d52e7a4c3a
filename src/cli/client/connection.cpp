#include "connection.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>

namespace arizuko::cli {

using boost::system::error_code;

std::expected<Connection, int> Connection::open(const sockaddr& address, socklen_t size,
                                                const Patience& patience) {
  const int at_once = patience.connect.count() == 0 ? SOCK_NONBLOCK : 0;
  const int descriptor = ::socket(address.sa_family, SOCK_STREAM | SOCK_CLOEXEC | at_once, 0);
  if (descriptor < 0) return std::unexpected(errno);
  Connection connection(descriptor, patience);
  // Bounds connect and send: socket(7). Reads wait in poll.
  const auto microseconds = std::chrono::microseconds(patience.connect).count();
  const timeval bound{microseconds / 1'000'000, microseconds % 1'000'000};
  if (::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound) != 0 ||
      ::connect(descriptor, &address, size) != 0)
    return std::unexpected(errno == EINPROGRESS ? ETIMEDOUT : errno);
  return connection;
}

std::expected<void, int> Connection::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(descriptor_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};
    } else if (errno != EINTR) {
      return std::unexpected(errno == EAGAIN ? ETIMEDOUT : errno);
    }
  }
  return {};
}

std::size_t Connection::read_some(char* to, std::size_t room, error_code& error) {
  for (;;) {
    const ssize_t got = ::recv(descriptor_.get(), to, room, MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      error = boost::asio::error::eof;
      return 0;
    }
    if (errno != EINTR && errno != EAGAIN) {
      error = error_code(errno, boost::system::system_category());
      return 0;
    }
    if (errno == EAGAIN && !wait()) {
      error = boost::asio::error::timed_out;
      return 0;
    }
  }
}

bool Connection::wait() const {
  const bool forever = patience_.each.count() == 0;
  const auto until =
      forever ? patience_.deadline : std::min(patience_.deadline, Clock::now() + patience_.each);
  for (;;) {
    int milliseconds = -1;
    if (until != Clock::time_point::max()) {
      constexpr std::int64_t a_day = 86'400'000;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      milliseconds = static_cast<int>(std::clamp<std::int64_t>(left, 0, a_day));
    }
    pollfd readable{descriptor_.get(), POLLIN, 0};
    const int number = ::poll(&readable, 1, milliseconds);
    if (number >= 0 || errno != EINTR) return number > 0;
  }
}

}  // namespace arizuko::cli
