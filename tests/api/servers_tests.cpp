// The servers with real sockets: a raw client that sends bytes and reads what comes.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "arizuko/api/servers.hpp"
#include "raw_client.hpp"
#include "root.hpp"

using namespace arizuko;
using api::Control;
using api::FakeInstance;
using api::has;
using api::Probes;
using api::RawClient;
using api::TemporaryDirectory;
using namespace std::chrono_literals;

TEST_CASE("servers: the probe port answers over a real socket") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  const std::string answer = client.ask("GET /livez HTTP/1.1");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(has(answer, "Content-Length: 3\r\n"));
  CHECK(answer.ends_with("\r\n\r\nok\n"));
}

TEST_CASE("servers: HEAD gets the header of GET and no body") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  const std::string answer = client.ask("HEAD /livez HTTP/1.1");
  CHECK(has(answer, "Content-Length: 3\r\n"));
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("servers: every answer and every piece of a stream goes out without secrets") {
  Control control;
  control.instance.secret_ = "alpha-4711";
  control.instance.view_.services[1].cause = "no /nowhere/alpha-4711";
  control.instance.happen("gated", "ready", "unready", "no /nowhere/alpha-4711");
  for (const char* path : {"/v1/status", "/v1/events"}) {
    CAPTURE(path);
    RawClient client(control.io, control.path);
    const std::string answer = client.ask(fmt::format("GET {} HTTP/1.1", path));
    CHECK(has(answer, "[redacted:TEST]"));
    CHECK_FALSE(has(answer, "alpha-4711"));
  }
}

TEST_CASE("servers: one connection carries several requests") {
  Probes probes;
  RawClient client(probes.io, probes.server->port());
  client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(has(client.read("ok\n"), "200 OK"));
  CHECK(has(client.ask("GET /nothing HTTP/1.1"), "404 Not Found"));
}

TEST_CASE(
    "servers: a header over 8 KiB is 431, a body over 64 KiB is 413 even on the control socket, nonsense is "
    "400") {
  Probes probes;
  RawClient header(probes.io, probes.server->port());
  header.send("GET /livez HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n");
  const std::string long_header = header.read();
  CHECK(has(long_header, " 431 "));
  CHECK(has(long_header, "the header is longer than 8192 bytes\n"));
  Control control;
  RawClient body(control.io, control.path);
  body.send("POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
  CHECK(has(body.read(), "the body is longer than 65536 bytes\n"));
  RawClient nonsense(probes.io, probes.server->port());
  nonsense.send("\x16\x03\x01 hello\r\n\r\n");
  CHECK(has(nonsense.read(), " 400 "));
}

TEST_CASE("servers: a request that does not come to its end is 408 and names the limit") {
  Probes probes({.patience = 30ms});
  RawClient client(probes.io, probes.server->port());
  client.send("GET /livez HT");
  const std::string answer = client.read();
  CHECK(has(answer, " 408 "));
  CHECK(has(answer, "the request was not complete within 30 ms\n"));
}

TEST_CASE("servers: a connection that never asks is closed without a word") {
  Probes probes({.patience = 30ms});
  RawClient client(probes.io, probes.server->port());
  CHECK(client.read() == "");
}

TEST_CASE("servers: connections that are held open cannot keep the kubelet out") {
  Probes probes({.connections = 2});
  RawClient first(probes.io, probes.server->port());
  RawClient second(probes.io, probes.server->port());
  RawClient kubelet(probes.io, probes.server->port());
  CHECK(has(kubelet.ask("GET /livez HTTP/1.1"), "200 OK"));
  const std::string sent_away = first.read();
  CHECK(has(sent_away, " 503 "));
  CHECK(has(sent_away, "too many connections: this one had waited longest without asking anything\n"));
  CHECK(has(second.ask("GET /livez HTTP/1.1"), "200 OK"));
}

TEST_CASE("servers: a port that is taken is an error that names the address and who holds it") {
  Probes probes;
  const auto second =
      api::ProbeServer::listen(probes.io, {"127.0.0.1", probes.server->port()}, probes.instance);
  REQUIRE_FALSE(second);
  CHECK(second.error().starts_with(
      fmt::format("cannot listen on 127.0.0.1:{}: Address already in use", probes.server->port())));
  CHECK(has(second.error(), fmt::format("pid {})", ::getpid())));
  CHECK_FALSE(api::ProbeServer::listen(probes.io, {"localhost", 1}, probes.instance));
}

TEST_CASE("servers: the status page is served on its own listener") {
  boost::asio::io_context io{1};
  FakeInstance instance;
  const auto page = api::PageServer::listen(io, {"::1", 0}, instance);
  const auto page4 = api::PageServer::listen(io, {"127.0.0.1", 0}, instance);
  REQUIRE(page4);
  RawClient client(io, (*page4)->port());
  CHECK(has(client.ask("GET / HTTP/1.1"), "<title>demo: running</title>"));
}

TEST_CASE("servers: the control socket answers the same user and is for nobody else") {
  Control control;
  struct stat found{};
  REQUIRE(::stat(control.path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  RawClient client(control.io, control.path);
  CHECK(has(client.ask("POST /v1/services/gated/restart HTTP/1.1"), "202 Accepted"));
  CHECK(control.instance.asked_ ==
        std::vector<std::string>{fmt::format("restart gated by operator (uid {})", ::getuid())});
}

TEST_CASE("servers: another user gets 403 and no data from the control socket") {
  arizuko::testing::needs_root();
  boost::asio::io_context io{1};
  FakeInstance instance;
  const std::string name = fmt::format("@arizuko-init-test/{}", ::getpid());
  const auto server = api::ControlServer::listen(io, name, instance);
  REQUIRE(server);
  int answer[2];
  REQUIRE(::pipe(answer) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char buffer[1024];
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, name.size() - 1, 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::setuid(12345) != 0 ||
        ::connect(fd, reinterpret_cast<sockaddr*>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) != 0) {
      ::_exit(1);
    }
    const std::string_view request = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // May be too late: it is closed at once, and the answer is there.
    static_cast<void>(::send(fd, request.data(), request.size(), MSG_NOSIGNAL));
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;) {
      static_cast<void>(!::write(answer[1], buffer, static_cast<std::size_t>(got)));
    }
    ::_exit(0);
  }
  ::close(answer[1]);
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (::waitpid(child, nullptr, WNOHANG) == 0 && std::chrono::steady_clock::now() < deadline)
    io.run_one_for(20ms);
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(answer[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(answer[0]);
  CHECK(has(text, "403 Forbidden"));
  CHECK(has(text,
            "{\"error\":\"uid 12345 may not control an instance of uid 0: call as that user or as root\"}"));
  CHECK_FALSE(has(text, "gated"));
}

TEST_CASE("servers: an abstract control socket is served and leaves no file") {
  boost::asio::io_context io{1};
  FakeInstance instance;
  const std::string name = fmt::format("@arizuko-init-test/abstract-{}", ::getpid());
  const auto server = api::ControlServer::listen(io, name, instance);
  REQUIRE(server);
  RawClient client(io, name);
  CHECK(has(client.ask("GET /v1/status HTTP/1.1"), "Arizuko-All-Well: yes"));
}

TEST_CASE("servers: the socket file of a dead supervisor is replaced") {
  Control control;
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const std::string path = control.directory.path() + "/dead.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(dead);
  CHECK(api::ControlServer::listen(control.io, path, control.instance));
}

TEST_CASE("servers: a living supervisor's control socket is left alone and named") {
  Control control;
  const auto second = api::ControlServer::listen(control.io, control.path, control.instance);
  REQUIRE_FALSE(second);
  CHECK(second.error() ==
        fmt::format("cannot listen on control socket {}: another one listens there (pid {})", control.path,
                    ::getpid()));
  RawClient client(control.io, control.path);
  CHECK(has(client.ask("GET /v1/status HTTP/1.1"), "200 OK"));
}

TEST_CASE("servers: the control socket never replaces a file of another kind") {
  TemporaryDirectory directory;
  boost::asio::io_context io{1};
  FakeInstance instance;
  const std::string path = directory.path() + "/precious";
  std::ofstream(path) << "kept";
  const auto refused = api::ControlServer::listen(io, path, instance);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error(), "there is a file of another kind; move it away"));
  CHECK_FALSE(api::ControlServer::listen(io, '/' + std::string(120, 'x'), instance));
}

TEST_CASE("servers: the control socket's file goes with its server") {
  Control control;
  CHECK(std::filesystem::exists(control.path));
  control.server.reset();
  CHECK_FALSE(std::filesystem::exists(control.path));
}

TEST_CASE("servers: a follower gets what happens as it happens") {
  Control control;
  control.instance.happen("gated", "starting", "ready", "first");
  RawClient client(control.io, control.path);
  client.send("GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(has(client.read("first"), "Transfer-Encoding: chunked"));
  CHECK(control.server->busy());
  control.instance.happen("gated", "ready", "stopping", "second");
  CHECK(has(client.read("second"), "\"to\":\"stopping\""));
  control.instance.view_.state = engine::PodState::ended;
  control.instance.notify();
  CHECK(client.read("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST_CASE("servers: a follower that goes away is forgotten") {
  Control control;
  RawClient client(control.io, control.path);
  client.send("GET /v1/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  static_cast<void>(client.read("\r\n\r\n"));
  const auto turn_until = [&](std::size_t subscribers) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (control.instance.subscribers_.size() != subscribers &&
           std::chrono::steady_clock::now() < deadline) {
      control.io.run_one_for(20ms);
    }
    return control.instance.subscribers_.size();
  };
  CHECK(turn_until(1) == 1);
  client.close();
  CHECK(turn_until(0) == 0);
}

TEST_CASE("servers: a follower that does not read holds nobody up and loses with a note") {
  Control control;
  RawClient slow(control.io, control.path);
  slow.send("GET /v1/logs?lines=0&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  static_cast<void>(slow.read("\r\n\r\n"));
  const std::string line(1000, 'x');
  for (int i = 0; i < 3000; ++i) {
    control.instance.log("gated", line);
    control.io.poll();
  }
  RawClient other(control.io, control.path);
  CHECK(has(other.ask("GET /v1/status HTTP/1.1"), "200 OK"));
  control.instance.log("gated", "the very last");
  const std::string all = slow.read("the very last");
  CHECK(has(all, "\"stream\":\"gap\""));
  CHECK(has(all, "the very last"));
  CHECK(all.size() < 2'000'000);
}

TEST_CASE("servers: a server that goes while somebody follows leaves nothing behind") {
  Control control;
  RawClient client(control.io, control.path);
  client.send("GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  static_cast<void>(client.read("\r\n\r\n"));
  RawClient half(control.io, control.path);
  half.send("GET /v1/ev");
  control.io.poll();
  control.server.reset();
  CHECK(control.instance.subscribers_.empty());
  control.instance.notify();
  control.io.poll();
  CHECK(client.read() == "");
}

TEST_CASE(
    "servers: the control socket is looked for where directories are writable, last in the abstract "
    "namespace") {
  using Names = std::vector<std::string>;
  CHECK(api::control_addresses("/tmp/x.sock", "/run/a", "demo", "/run/user/1", 7) == Names{"/tmp/x.sock"});
  CHECK(api::control_addresses("", "/run/a", "demo", "/run/user/1", 7) ==
        Names{"/run/a/demo.sock", "@arizuko-init/demo", "@arizuko-init/demo-7"});
  CHECK(api::control_addresses("", "", "demo", "/run/user/1", 7) ==
        Names{"/run/arizuko-init/demo.sock", "/run/user/1/arizuko-init/demo.sock", "@arizuko-init/demo",
              "@arizuko-init/demo-7"});
}
