#include "host/conditions/condition_watcher.hpp"

#include <csignal>
#include <filesystem>
#include <functional>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include "watcher_bench.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace plan = arizuko::plan;
using asio::ip::tcp;

namespace {

std::uint16_t free_port() {
  asio::io_context io;
  return tcp::acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)).local_endpoint().port();
}

/// A process of its own that holds a listening socket of ours.
struct Foreign {
  explicit Foreign(tcp::acceptor& acceptor) {
    pid = ::fork();
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
    acceptor.close();
  }
  ~Foreign() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  pid_t pid = 0;
};

/// What `look` says in a process of its own that is not root.
bool as_nobody(const std::function<bool()>& look) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    const bool root = ::geteuid() == 0;
    if (root && (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0))
      ::_exit(2);
    ::_exit(look() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

/// Likewise beside a process that holds a listening socket and shows what it has open to nobody.
bool beside_a_hidden_listener(const std::function<bool(pid_t holder, std::uint16_t port)>& look) {
  return as_nobody([&] {
    asio::io_context io;
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    const std::uint16_t port = acceptor.local_endpoint().port();
    int hidden[2];
    if (::pipe(hidden) != 0) return false;
    const pid_t holder = ::fork();
    if (holder == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::prctl(PR_SET_DUMPABLE, 0);
      ::close(hidden[0]);
      ::close(hidden[1]);
      ::pause();
      ::_exit(0);
    }
    ::close(hidden[1]);
    char none = 0;
    if (::read(hidden[0], &none, 1) != 0) return false;  // its end comes when the holder is ready
    acceptor.close();
    const bool good = look(holder, port);
    ::kill(holder, SIGKILL);
    return good;
  });
}

}  // namespace

TEST_CASE(
    "watcher: an http condition holds on 200 with the body asked for, by number and not by name (T30)") {
  Bench bench;
  Server server(bench.io);
  bench.watcher->watch(key, condition(http_check(server.port(), "\"status\":\"ok\"")));
  REQUIRE(bench.reports.empty());  // never from inside watch()
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].key == key);
  CHECK(bench.reports[0].holds);
  CHECK(server.request.starts_with(
      "GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  CHECK(server.request.contains("User-Agent: arizuko-init\r\n"));
  CHECK(server.request.contains("Connection: close\r\n"));
}

TEST_CASE("watcher: an http condition that does not hold says why") {
  Bench bench;
  Server server(bench.io);
  const auto first_answer = [&](const std::string& answer, const std::string& contains = {}) {
    server.answer = answer;
    bench.reports.clear();
    bench.watcher->watch(key, condition(http_check(server.port(), contains)));
    REQUIRE(bench.reports_reach(1));
    bench.watcher->unwatch(key);
    return (bench.reports[0].holds ? "holds " : "") + bench.reports[0].detail;
  };
  CHECK(first_answer("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") == "status 503");
  CHECK(first_answer("HTTP/1.1 404 No\r\n\r\n") == "status 404");
  CHECK(first_answer("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") == "holds ");
  CHECK(first_answer("HTTP/1.1 200 OK\r\n\r\nhello", "ok") == "status 200, but the body lacks \"ok\"");
  CHECK(first_answer("HTTP/1.1 200 OK\r\n\r\nit is ok", "ok") == "holds ");
  CHECK(first_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
                     "ok") == "holds ");
  CHECK(first_answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(70'000, '.') + "ok", "ok")
            .starts_with("status 200, but"));
  CHECK(first_answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(60'000, '.') + "ok" + std::string(60'000, '.'),
                     "ok") == "holds ");
  CHECK(first_answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", "ok") ==
        "holds ");
  CHECK(first_answer("HTTP/1.1 200\nContent-Length: 2\n\nok", "ok") == "holds ");
  CHECK(first_answer("SSH-2.0-OpenSSH_9.2\r\n\r\n").starts_with("no HTTP answer: "));
  CHECK(first_answer("") == "closed the connection without an answer");
  CHECK(first_answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "ok")
            .starts_with("the answer breaks off"));
  server.silent = true;
  CHECK(first_answer("") == "no answer within 200ms");
}

TEST_CASE("watcher: nobody listening is reported once, and the opening within milliseconds") {
  Bench bench;
  const std::uint16_t port = free_port();
  bench.watcher->watch(key, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::own}));
  REQUIRE(bench.reports_reach(1));
  CHECK_FALSE(bench.reports[0].holds);
  CHECK(bench.reports[0].detail == "connection refused");
  bench.turn(60ms);
  CHECK(bench.reports.size() == 1);
  tcp::acceptor acceptor(bench.io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
  const auto opened = std::chrono::steady_clock::now();
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[1].holds);
  CHECK(std::chrono::steady_clock::now() - opened < 100ms);  // a few ms; the machine may be busy
}

TEST_CASE("watcher: a listener of another process is refused and named (T1, T7)") {
  Bench bench;
  Server server(bench.io);
  const std::uint16_t port = server.port();
  Foreign foreign(server.acceptor);
  bench.watcher->watch(key, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::own}));
  bench.watcher->watch({run, 1}, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::any}));
  REQUIRE(bench.reports_reach(2));
  const bool first = bench.reports[0].key == key;
  const Report& own = bench.reports[first ? 0 : 1];
  const Report& any = bench.reports[first ? 1 : 0];
  CHECK_FALSE(own.holds);
  CHECK(own.detail.starts_with(":" + std::to_string(port) + " is held by "));
  CHECK(own.detail.ends_with("(pid " + std::to_string(foreign.pid) + ")"));
  CHECK(any.holds);
  bench.members.push_back(foreign.pid);  // a process of the run itself
  REQUIRE(bench.reports_reach(3));
  CHECK(bench.reports[2].key == key);
  CHECK(bench.reports[2].holds);
}

TEST_CASE(
    "watcher: where it cannot be seen whose the listener is, its answer counts, and that is said once") {
  CHECK(beside_a_hidden_listener([](pid_t holder, std::uint16_t port) {
    Bench bench;
    bench.members = {holder};
    bench.watcher->watch(key, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::own}));
    bench.watcher->watch({run, 1}, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::own}));
    return bench.reports_reach(2) && bench.reports[0].holds && bench.reports[1].holds &&
           bench.warnings.size() == 1 && bench.warnings[0].contains("cannot be told") &&
           bench.warnings[0].contains("CAP_SYS_PTRACE");
  }));
}

TEST_CASE("watcher: a listener that none of the run's own processes has is not the run's, seen or not") {
  CHECK(beside_a_hidden_listener([](pid_t, std::uint16_t port) {
    Bench bench;  // its only process is this one, which can be seen
    bench.watcher->watch(key, condition(plan::TcpCheck{"127.0.0.1", port, plan::Listener::own}));
    return bench.reports_reach(1) && !bench.reports[0].holds && bench.warnings.empty() &&
           bench.reports[0].detail.contains("by none of its processes");
  }));
}

TEST_CASE("watcher: what held ceases to hold only after `failures` looks in a row") {
  Bench bench;
  Server server(bench.io);
  bench.watcher->watch(key, condition(http_check(server.port())));
  REQUIRE(bench.reports_reach(1));
  const std::string good = server.answer;
  server.answer = "HTTP/1.1 500 No\r\n\r\n";
  int connections = server.connections;
  REQUIRE(bench.until([&] { return server.connections == connections + 2; }));
  server.answer = good;
  connections = server.connections;
  REQUIRE(bench.until([&] { return server.connections == connections + 3; }));
  CHECK(bench.reports.size() == 1);
  server.answer = "HTTP/1.1 500 No\r\n\r\n";
  REQUIRE(bench.reports_reach(2));
  CHECK_FALSE(bench.reports[1].holds);
  CHECK(bench.reports[1].detail == "status 500");
  server.answer = good;
  REQUIRE(bench.reports_reach(3));
  CHECK(bench.reports[2].holds);
}

TEST_CASE("watcher: a unix socket is accepted by its own process, a stale file by nobody") {
  Bench bench;
  Scratch scratch;
  const std::string path = scratch / "gated.sock";
  bench.watcher->watch(key, condition(plan::SocketCheck{path, plan::Listener::own}));
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].detail == "no such file or directory");
  asio::local::stream_protocol::acceptor acceptor(bench.io, asio::local::stream_protocol::endpoint(path));
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[1].holds);
  acceptor.close();  // the file stays
  REQUIRE(bench.reports_reach(3));
  CHECK(bench.reports[2].detail == "connection refused");
}

TEST_CASE("watcher: a file condition holds when the path is there") {
  Bench bench;
  Scratch scratch;
  bench.watcher->watch(key, condition(plan::FileCheck{scratch / "flag"}));
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].detail == "there is no " + (scratch / "flag"));
  write_text(scratch / "flag", "");
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[1].holds);
}

TEST_CASE("watcher: a path that may not be looked at is neither there nor not (T12)") {
  Scratch scratch;
  const std::string closed = scratch / "closed";
  std::filesystem::create_directory(closed);
  ::chmod(closed.c_str(), 0);
  CHECK(as_nobody([&] {
    Bench bench;
    plan::Condition done = condition(plan::FileCheck{closed + "/messages.db"});
    done.failures = 2;
    bench.watcher->watch(key, done, Purpose::whether_done);
    return bench.until([&] { return !bench.warnings.empty(); }) && bench.reports.empty() &&
           bench.warnings[0].contains("cannot tell: " + closed + "/messages.db: permission denied");
  }));
  CHECK(as_nobody([&] {
    Bench bench;
    bench.watcher->watch(key, condition(plan::FileCheck{closed + "/ready"}));
    return bench.reports_reach(1) && !bench.reports[0].holds &&
           bench.reports[0].detail == "cannot tell: " + closed + "/ready: permission denied";
  }));
}

TEST_CASE("watcher: a log condition holds from its line on, for its own run, and is then free") {
  Bench bench;
  bench.watcher->log_line(run, "arizuko running");  // nobody watches yet
  bench.watcher->watch(key, condition(plan::LogCheck{"arizuko running"}));
  CHECK(bench.watcher->wants_log(run));
  CHECK_FALSE(bench.watcher->wants_log({{1, 2}}));
  REQUIRE(bench.reports_reach(1));
  CHECK_FALSE(bench.reports[0].holds);
  bench.watcher->log_line({{1, 2}}, "arizuko running");
  bench.watcher->log_line(run, "level=INFO msg=\"arizuko is running\"");
  bench.watcher->log_line(run, "level=INFO msg=\"arizuko running\" port=9080");
  CHECK(bench.reports.size() == 1);
  CHECK_FALSE(bench.watcher->wants_log(run));
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[1].holds);
  bench.turn(20ms);
  CHECK(bench.reports.size() == 2);
}

TEST_CASE("watcher: a line that comes before the first look is not taken back by it") {
  Bench bench;
  plan::Condition wanted = condition(plan::LogCheck{"up"});
  wanted.failures = 1;
  bench.watcher->watch(key, wanted);
  bench.watcher->log_line(run, "up");
  bench.turn(20ms);
  REQUIRE(bench.reports.size() == 1);
  CHECK(bench.reports[0].holds);
}

TEST_CASE("watcher: READY=1 makes the run's notify condition hold") {
  Bench bench;
  bench.watcher->watch(key, condition(plan::NotifyCheck{}));
  bench.watcher->watch({{{2, 1}}, 0}, condition(plan::NotifyCheck{}));
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[0].detail == "no READY=1 yet");
  bench.watcher->notified(run);
  bench.turn(20ms);
  REQUIRE(bench.reports.size() == 3);
  CHECK(bench.reports[2].key == key);
  CHECK(bench.reports[2].holds);
}

TEST_CASE("watcher: an exec condition goes by the code of its command, one at a time") {
  Bench bench;
  bench.to_start = {101, 102};
  bench.watcher->watch(key, condition(plan::ExecCheck{{"check-it"}}, 1h));
  REQUIRE(bench.until([&] { return bench.started == 1; }));
  bench.turn(20ms);
  CHECK(bench.started == 1);
  CHECK_FALSE(bench.watcher->exec_ended(99, 0));
  CHECK(bench.watcher->exec_ended(101, 3 << 8));
  CHECK_FALSE(bench.watcher->exec_ended(101, 0));
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].detail == "exited with code 3");
  REQUIRE(bench.until([&] { return bench.started == 2; }));
  CHECK(bench.watcher->exec_ended(102, 0));
  REQUIRE(bench.reports_reach(2));
  CHECK(bench.reports[1].holds);
}

TEST_CASE("watcher: an exec condition's command that takes too long is killed and its end awaited") {
  Bench bench;
  bench.to_start = {101, 102};
  plan::Condition slow = condition(plan::ExecCheck{{"check-it"}});
  slow.timeout = 10ms;
  bench.watcher->watch(key, slow);
  REQUIRE(bench.until([&] { return bench.killed == std::vector<pid_t>{101}; }));
  bench.turn(20ms);
  CHECK(bench.started == 1);
  CHECK(bench.watcher->exec_ended(101, SIGKILL));
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].detail == "killed after 10 ms without an end");
  REQUIRE(bench.until([&] { return bench.started == 2; }));
  bench.watcher->unwatch(key);
  CHECK(bench.killed.back() == 102);
  CHECK(bench.watcher->exec_ended(102, SIGKILL));  // still known as one of ours
}

TEST_CASE("watcher: a command that cannot be started is a condition that does not hold") {
  Bench bench;
  bench.watcher->watch(key, condition(plan::ExecCheck{{"check-it"}}));
  REQUIRE(bench.reports_reach(1));
  CHECK(bench.reports[0].detail == "executing check-it: no such file");
}

TEST_CASE(
    "watcher: a command that the machine cannot start now says nothing of the liveness that it asks for") {
  Bench bench;
  bench.to_start = {101};
  plan::Condition asks = condition(plan::ExecCheck{{"check-it"}}, 10ms);
  asks.failures = 2;
  bench.watcher->watch(key, asks, Purpose::liveness);
  REQUIRE(bench.until([&] { return bench.started == 1; }));
  CHECK(bench.watcher->exec_ended(101, 0));
  REQUIRE(bench.reports_reach(1));
  bench.not_started = {"forking: EAGAIN", true};
  REQUIRE(bench.until([&] { return bench.started > 6; }));
  CHECK(bench.reports.size() == 1);
  REQUIRE(bench.warnings.size() == 1);
  CHECK(bench.warnings[0].starts_with("exec check-it: cannot tell: forking: EAGAIN"));
  bench.not_started.passing = false;
  REQUIRE(bench.reports_reach(2));
  CHECK_FALSE(bench.reports[1].holds);
}

TEST_CASE(
    "watcher: nothing is reported for what is no longer watched, nor for an older watch of the same key") {
  Bench bench;
  Server server(bench.io);
  server.silent = true;
  bench.watcher->watch(key, condition(http_check(server.port())));
  REQUIRE(bench.until([&] { return server.connections == 1 && !server.request.empty(); }));
  bench.watcher->watch(key, condition(plan::NotifyCheck{}));  // the look above is still under way
  bench.watcher->watch({run, 1}, condition(plan::FileCheck{"/"}));
  bench.watcher->watch({{{3, 1}}, 1}, condition(plan::FileCheck{"/"}));
  bench.watcher->unwatch({run, 1});
  bench.watcher->unwatch_run({{3, 1}});
  bench.turn(300ms);
  REQUIRE(bench.reports.size() == 1);
  CHECK(bench.reports[0].detail == "no READY=1 yet");
}

TEST_CASE("watcher: reports may watch and unwatch as they like") {
  Bench bench;
  Server server(bench.io);
  int rounds = 0;
  bench.on_report = [&](const Report& report) {
    bench.watcher->unwatch_run(report.key.run);
    if (++rounds < 50) bench.watcher->watch(report.key, condition(http_check(server.port())));
    bench.watcher->watch({run, 7}, condition(plan::LogCheck{"x"}));
    bench.watcher->unwatch({run, 7});
  };
  bench.watcher->watch(key, condition(http_check(server.port())));
  CHECK(bench.until([&] { return rounds == 50; }));
  bench.turn(30ms);
  CHECK(rounds == 50);
}

TEST_CASE("watcher: it may be destroyed while looks are under way and from its own report") {
  Bench bench;
  Server server(bench.io);
  server.silent = true;
  bench.watcher->watch(key, condition(http_check(server.port())));
  REQUIRE(bench.until([&] { return server.connections == 1; }));
  bench.watcher->watch({run, 1}, condition(plan::FileCheck{"/"}));
  bench.on_report = [&](const Report&) { bench.watcher.reset(); };
  REQUIRE(bench.reports_reach(1));
  bench.turn(250ms);
  CHECK(bench.reports.size() == 1);
}

TEST_CASE("watcher: nothing watched, nothing wakes up") {
  Bench bench;
  Server server(bench.io);
  server.acceptor.close();
  bench.watcher->watch(key, condition(plan::LogCheck{"x"}));
  bench.watcher->watch({run, 1}, condition(plan::NotifyCheck{}));
  REQUIRE(bench.reports_reach(2));
  bench.watcher->watch({run, 2}, condition(plan::FileCheck{"/"}));
  bench.watcher->unwatch({run, 2});
  bench.io.restart();
  bench.io.poll();
  bench.io.restart();
  CHECK(bench.io.run_for(50ms) == 0);
}
