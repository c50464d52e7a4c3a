// A ConditionWatcher whose owner is the test, and a server for it to look at.
#pragma once

#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include "arizuko/env/redaction.hpp"
#include "host/conditions/condition_watcher.hpp"
#include "host/host_test_tools.hpp"

namespace arizuko::host::testing {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr RunKey run{{1, 1}};
constexpr WatchKey key{run, 0};

struct Report {
  WatchKey key;
  bool holds = false;
  std::string detail;
};

struct Bench {
  asio::io_context io{1};
  std::vector<Report> reports;
  std::vector<pid_t> members{::getpid()};
  std::vector<pid_t> killed;
  std::deque<pid_t> to_start;
  int started = 0;
  NotStarted not_started{"executing check-it: no such file", false};
  std::optional<RunKey> gated_serves = RunKey{{2, 1}};
  arizuko::env::Environment seen;
  std::vector<std::string> warnings;
  std::function<void(const Report&)> on_report = [](const Report&) {};
  std::optional<ConditionWatcher> watcher;

  Bench() {
    WatcherHooks hooks;
    hooks.report = [this](WatchKey which, bool holds, arizuko::env::Foreign detail) {
      reports.push_back({which, holds, arizuko::env::Redactor().wash(std::move(detail))});
      on_report(Report(reports.back()));
    };
    hooks.members = [this](RunKey) { return members; };
    hooks.start_exec = [this](RunKey, const plan::ExecCheck&) -> std::expected<pid_t, NotStarted> {
      ++started;
      if (to_start.empty()) return std::unexpected(not_started);
      const pid_t pid = to_start.front();
      to_start.pop_front();
      return pid;
    };
    hooks.kill_exec = [this](pid_t pid) { killed.push_back(pid); };
    hooks.ready_run = [this](std::string_view name) { return name == "gated" ? gated_serves : std::nullopt; };
    hooks.environment = [this](RunKey) { return seen; };
    hooks.warn = [this](RunKey, const std::string& text) { warnings.push_back(text); };
    watcher.emplace(io, std::move(hooks));
  }

  bool until(const std::function<bool()>& done) {
    return eventually([&] { return io.restart(), io.poll(), done(); });
  }
  bool reports_reach(std::size_t count) {
    return until([&] { return reports.size() >= count; });
  }
  void turn(std::chrono::milliseconds time) { io.restart(), io.run_for(time); }
};

/// Answers each connection with `answer`, after its request; keeps what was asked.
struct Server {
  explicit Server(asio::io_context& io)
      : acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    next();
  }
  void next() {
    acceptor.async_accept([this](auto error, tcp::socket socket) {
      if (error) return;
      ++connections;
      auto held = std::make_shared<tcp::socket>(std::move(socket));
      auto buffer = std::make_shared<asio::streambuf>();
      asio::async_read_until(*held, *buffer, "\r\n\r\n", [this, held, buffer](auto failed, std::size_t) {
        if (failed) return;
        request.assign(asio::buffers_begin(buffer->data()), asio::buffers_end(buffer->data()));
        if (silent) {
          kept.push_back(held);
          return;
        }
        auto text = std::make_shared<std::string>(answer);
        asio::async_write(*held, asio::buffer(*text), [held, text](auto, std::size_t) {});
      });
      next();
    });
  }
  std::uint16_t port() const { return acceptor.local_endpoint().port(); }
  tcp::acceptor acceptor;
  std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";
  std::string request;
  bool silent = false;
  int connections = 0;
  std::vector<std::shared_ptr<tcp::socket>> kept;
};

inline plan::Condition condition(plan::Check check, plan::Duration every = 20ms) {
  plan::Condition result;
  result.check = std::move(check);
  result.every = every;
  result.timeout = 200ms;
  result.failures = 3;
  return result;
}

inline plan::HttpCheck http_check(std::uint16_t port, std::string contains = {},
                                  plan::Listener listener = plan::Listener::own) {
  return {"", "127.0.0.1", port, "/health?x=1", plan::literal(std::move(contains)), listener};
}

}  // namespace arizuko::host::testing
