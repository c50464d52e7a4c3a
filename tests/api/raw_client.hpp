// A raw client that sends bytes and reads what comes, and servers for it to ask.
#pragma once

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "arizuko/api/servers.hpp"
#include "fake_instance.hpp"
#include "temporary_directory.hpp"

namespace arizuko::api {

using namespace std::chrono_literals;

using tests::TemporaryDirectory;

/// A non-blocking client; the loop is turned while it waits, with a bound.
class RawClient {
 public:
  /// `from`: the last byte of 127.0.0.x, the address that it comes from.
  RawClient(boost::asio::io_context& io, std::uint16_t port, std::uint32_t from = 1)
      : io_(io), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  RawClient(boost::asio::io_context& io, const std::string& path)
      : io_(io), fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    auto size = offsetof(sockaddr_un, sun_path) + path.size() + 1;
    if (path.front() == '@') {
      address.sun_path[0] = '\0';
      --size;
    }
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) == 0);
  }
  RawClient(const RawClient&) = delete;
  ~RawClient() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void send(std::string_view text) { REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) >= 0); }
  /// Everything until the other side closes or `until` was seen.
  std::string read(std::string_view until = {}) {
    std::string all;
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < deadline) {
      char buffer[4096];
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) all.append(buffer, static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN)) return all;
      if (!until.empty() && all.find(until) != std::string::npos) return all;
      io_.run_one_for(20ms);
    }
    return all + "[still open]";
  }
  std::string ask(std::string_view line) {
    send(fmt::format("{}\r\nHost: x\r\nConnection: close\r\n\r\n", line));
    return read();
  }
  int descriptor() const { return fd_; }
  /// Out of the way of a limit that the test sets.
  void move_up(int at_least) {
    const int moved = ::fcntl(fd_, F_DUPFD, at_least);
    REQUIRE(moved >= at_least);
    ::close(fd_);
    fd_ = moved;
  }

 private:
  boost::asio::io_context& io_;
  int fd_;
};

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Probes {
  explicit Probes(const Limits& limits = {}) {
    auto listening = ProbeServer::listen(io, {"127.0.0.1", 0}, instance, limits);
    REQUIRE(listening);
    server = std::move(*listening);
  }
  boost::asio::io_context io{1};
  FakeInstance instance;
  std::unique_ptr<ProbeServer> server;
};

struct Control {
  explicit Control(const Limits& limits = control_limits) {
    auto listening = ControlServer::listen(io, path, instance, limits);
    REQUIRE(listening);
    server = std::move(*listening);
  }
  TemporaryDirectory directory;
  std::string path = directory.path() + "/run/demo.sock";
  boost::asio::io_context io{1};
  FakeInstance instance;
  std::unique_ptr<ControlServer> server;
};

}  // namespace arizuko::api
