// The kubelet and the operator get an answer, whatever strangers and stalled clients do.
#include <doctest/doctest.h>

#include <list>
#include <vector>

#include <sys/resource.h>

#include "raw_client.hpp"

using namespace arizuko;
using namespace std::chrono_literals;
using api::Control;
using api::has;
using api::Probes;
using api::RawClient;

namespace {

constexpr std::string_view question = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

std::string many(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// Sends as much as is taken, and reads nothing.
void pour(const RawClient& client, std::string_view text) {
  static_cast<void>(!::send(client.descriptor(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void turn(boost::asio::io_context& io) {
  for (int i = 0; i < 200; ++i) io.poll();
}

/// Until the other side has closed: what is still there to be read is thrown away.
bool is_closed(RawClient& client) { return !has(client.read(), "[still open]"); }

rlim_t lowest_free() {
  const int lowest = ::dup(0);
  ::close(lowest);
  return static_cast<rlim_t>(lowest);
}

/// How many descriptors can still be opened: by opening them.
std::size_t free_ones() {
  std::vector<int> opened;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) opened.push_back(fd);
  for (const int fd : opened) ::close(fd);
  return opened.size();
}

/// No descriptor above `highest` for as long as it lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t highest) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit low{highest, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("servers: clients that pipeline and never read do not keep the kubelet out") {
  Probes probes({.connections = 3});
  std::list<RawClient> greedy;
  for (int i = 0; i < 8; ++i) {
    pour(greedy.emplace_back(probes.io, probes.server->port()), many(question, 1500));
    turn(probes.io);
    RawClient kubelet(probes.io, probes.server->port());
    CHECK(has(kubelet.ask("GET /livez HTTP/1.1"), "200 OK"));
  }
}

TEST_CASE("servers: a connection is closed after so many answers, and the last one says so") {
  Probes probes({.answers = 3});
  RawClient client(probes.io, probes.server->port());
  client.send(many("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 5));
  const std::string answers = client.read();
  std::size_t count = 0;
  for (std::size_t at = answers.find("200 OK"); at != std::string::npos; at = answers.find("200 OK", at + 1))
    ++count;
  CHECK(count == 3);
  CHECK(answers.find("Connection: close") > answers.rfind("200 OK"));
}

TEST_CASE("servers: requests that are sent ahead have one patience together") {
  Probes probes({.answers = 100'000, .patience = 50ms});
  RawClient client(probes.io, probes.server->port());
  const auto begin = std::chrono::steady_clock::now();
  const auto deadline = begin + 5s;
  bool closed = false;
  // It reads a little now and then: each answer is taken, none of them renews the patience.
  while (!closed && std::chrono::steady_clock::now() < deadline) {
    pour(client, many(question, 50));
    probes.io.run_one_for(1ms);
    char little[64];
    const ssize_t got = ::recv(client.descriptor(), little, sizeof little, MSG_DONTWAIT);
    closed = got == 0 || (got < 0 && errno != EAGAIN);
  }
  CHECK(closed);
}

TEST_CASE("servers: what a client does not read is bounded in the kernel") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  pour(client, many(question, 1500));
  turn(probes.io);
  // The server's own socket is one of ours: the one with the client's port at its other end.
  sockaddr_in mine{};
  socklen_t size = sizeof mine;
  REQUIRE(::getsockname(client.descriptor(), reinterpret_cast<sockaddr*>(&mine), &size) == 0);
  int server = -1;
  for (int fd = 0; fd < 1024 && server < 0; ++fd) {
    sockaddr_in other{};
    size = sizeof other;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&other), &size) == 0 &&
        other.sin_port == mine.sin_port && fd != client.descriptor())
      server = fd;
  }
  REQUIRE(server >= 0);
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    int bytes = 0;
    size = sizeof bytes;
    REQUIRE(::getsockopt(server, SOL_SOCKET, option, &bytes, &size) == 0);
    CHECK(bytes <= 32 * 1024);
  }
}

TEST_CASE("servers: an answer that is not taken keeps its place, and is gone from the kernel with it") {
  Probes probes({.connections = 2, .socket_bytes = 128 * 1024});
  for (int i = 0; i < 300; ++i)
    probes.instance.add(fmt::format("service-{}", i), plan::Kind::service, engine::State::ready, 1);
  std::list<RawClient> clients;
  for (int i = 0; i < 6; ++i) {
    const int small = 1;
    auto& client = clients.emplace_back(probes.io, probes.server->port());
    ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ::shutdown(client.descriptor(), SHUT_WR);
    turn(probes.io);
  }
  // All but the last two were sent away, by a reset: an orderly close would still be offering the answer.
  int resets = 0;
  for (RawClient& client : clients) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(client.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == ECONNRESET) ++resets;
  }
  CHECK(resets == 4);
}

TEST_CASE("servers: a flood of connections from one address does not cost another one its place") {
  Probes probes({.connections = 4});
  RawClient other(probes.io, probes.server->port(), 2);
  other.send("GET /livez HT");
  turn(probes.io);
  std::list<RawClient> flood;
  for (int i = 0; i < 20; ++i) {
    flood.emplace_back(probes.io, probes.server->port());
    turn(probes.io);
  }
  other.send("TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(has(other.read(), "200 OK"));
}

TEST_CASE("servers: a body to the probe port is 413 before a byte of it was read") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  client.send("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
  const std::string answer = client.read("here\n");
  CHECK(has(answer, " 413 "));
  CHECK(has(answer, "a request body is not accepted here\n"));
  CHECK(has(answer, "Connection: close\r\n"));
}

TEST_CASE("servers: the answer to a body that is refused is not lost by a reset") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  client.send("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
  turn(probes.io);
  pour(client, std::string(60'000, 'x'));
  turn(probes.io);
  ::shutdown(client.descriptor(), SHUT_WR);
  CHECK(has(client.read(), " 413 "));
}

TEST_CASE("servers: a body on the control socket is skipped and the next request is read behind it") {
  Control control;
  RawClient client(control.io, control.path);
  client.send("POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" +
              std::string(20'000, 'G'));
  CHECK(has(client.read("restart asked for"), "202 Accepted"));
  CHECK(has(client.ask("GET /v1/status HTTP/1.1"), "200 OK"));
}

TEST_CASE("servers: followers that stopped reading do not hold the control socket") {
  api::Limits limits = api::control_limits;
  limits.connections = 4;
  Control control(limits);
  for (int i = 0; i < 400; ++i) control.instance.log("gated", std::string(1000, 'x'));
  std::list<RawClient> followers;
  for (int i = 0; i < 12; ++i) {
    followers.emplace_back(control.io, control.path)
        .send("GET /v1/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    turn(control.io);
    RawClient operator_client(control.io, control.path);
    CHECK(has(operator_client.ask("GET /v1/status HTTP/1.1"), "200 OK"));
  }
  CHECK(control.instance.subscribers_.size() <= 4);
}

TEST_CASE("servers: a follower that does not stop talking is closed") {
  Control control;
  RawClient client(control.io, control.path);
  client.send("GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  static_cast<void>(client.read("\r\n\r\n"));
  for (int i = 0; i < 100 && !control.instance.subscribers_.empty(); ++i) {
    pour(client, std::string(4096, 'x'));
    turn(control.io);
  }
  CHECK(control.instance.subscribers_.empty());
}

TEST_CASE("servers: idle connections leave the descriptors that the daemons need") {
  Probes probes;
  RawClient first(probes.io, probes.server->port());
  turn(probes.io);
  first.move_up(600);
  const rlim_t low = lowest_free() + 40;
  std::list<RawClient> idle;
  std::size_t spare = 0;
  for (int i = 0; i < 70; ++i) {
    idle.emplace_back(probes.io, probes.server->port()).move_up(600);
    const DescriptorLimit limit(low);
    turn(probes.io);
    spare = free_ones();
  }
  CHECK(spare >= api::Limits{}.descriptors);
  CHECK(is_closed(first));
  RawClient kubelet(probes.io, probes.server->port());
  CHECK(has(kubelet.ask("GET /livez HTTP/1.1"), "200 OK"));
}

TEST_CASE("servers: where no descriptor is left at all, a connection of ours makes room for the kubelet's") {
  Probes probes;
  std::list<RawClient> idle;
  for (int i = 0; i < 4; ++i) idle.emplace_back(probes.io, probes.server->port());
  RawClient kubelet(probes.io, probes.server->port());
  kubelet.send("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer;
  {
    // Two are accepted; for the rest there is none.
    const DescriptorLimit limit(lowest_free() + 2);
    answer = kubelet.read();
  }
  CHECK(has(answer, "200 OK"));
}
