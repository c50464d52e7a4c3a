// `healthcheck`: one question to the probe port, for what can only run a command: Docker's HEALTHCHECK.
//
// Needs nothing of the image: no shell, no wget. Says one line and ends with 0 or 1, as Docker wants it.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "all.hpp"
#include "arizuko/host/conditions/http_answer.hpp"
#include "cli/client/connection.hpp"
#include "cli/prepare.hpp"
#include "plan_words.hpp"

namespace arizuko::cli {

namespace {

using Clock = Connection::Clock;
using Error = std::string;  // a phrase

/// The wildcard is where one listens, not where one asks; and either may be what is left of the other: "::"
/// where IPv6 is off, or where it does not take IPv4 along (bindv6only).
std::vector<std::string> where_to_ask(const plan::Address& address) {
  if (address.ip == "0.0.0.0") return {"127.0.0.1", "::1"};
  if (address.ip == "::") return {"::1", "127.0.0.1"};
  return {address.ip};
}

std::string text_of(const plan::Address& address) {
  const bool v6 = address.ip.contains(':');
  return fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), address.ip, address.port);
}

std::string reason_of(int error) { return error == ETIMEDOUT ? "no answer in time" : std::strerror(error); }

std::expected<Connection, Error> connect(const plan::Address& address, Clock::time_point deadline) {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } target{};
  const bool is_v6 = address.ip.contains(':');
  target.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
  (is_v6 ? target.v6.sin6_port : target.v4.sin_port) = htons(address.port);
  void* ip = is_v6 ? static_cast<void*>(&target.v6.sin6_addr) : &target.v4.sin_addr;
  if (::inet_pton(target.any.sa_family, address.ip.c_str(), ip) != 1)
    return std::unexpected("it is no address");
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  auto connection =
      Connection::open(target.any, is_v6 ? sizeof target.v6 : sizeof target.v4,
                       {.connect = std::max(left, std::chrono::milliseconds(1)), .deadline = deadline});
  if (!connection) return std::unexpected(reason_of(connection.error()));
  return std::move(*connection);
}

struct Answer {
  unsigned status = 0;
  std::string line;   // the first of the body
  std::string where;  // who gave it
};

/// What answers need not be an arizuko-init: host::HttpAnswer reads it as leniently as a plan's checks do.
std::expected<Answer, Error> ask(const plan::Address& address, const std::string& path,
                                 Clock::time_point deadline) {
  auto connection = connect(address, deadline);
  if (!connection) return std::unexpected(connection.error());
  const auto sent =
      connection->send(fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, text_of(address)));
  if (!sent) return std::unexpected(reason_of(sent.error()));
  host::HttpAnswer read;
  std::array<char, 4096> buffer{};
  boost::system::error_code error;
  using enum host::HttpAnswer::State;
  while (!error && read.state() != complete && read.state() != broken)
    read.take({buffer.data(), connection->read_some(buffer.data(), buffer.size(), error)});
  if (error && error != boost::asio::error::eof)
    return std::unexpected(error == boost::asio::error::timed_out ? "no answer in time" : error.message());
  read.close();
  if (read.status() == 0) return std::unexpected("what answers there is no arizuko-init: " + read.trouble());
  Answer answer{read.status(), read.body().substr(0, read.body().find('\n')), ""};
  std::erase_if(answer.line, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return answer;
}

class Healthcheck final : public Command {
 public:
  About about() const override {
    return {
        .name = "healthcheck",
        .summary = "Ask the probe port whether the instance is ready, for Docker's HEALTHCHECK",
        .examples = "  arizuko-init healthcheck\n  arizuko-init healthcheck --probe livez\n",
        .exit_codes = {
            {exit_code::yes, "yes"}, {exit_code::no, "no or nobody answers"}, {exit_code::usage, "usage"}}};
  }

  std::vector<Option> options() override {
    return plan_.with({{"--probe",
                        &probe_,
                        "What to ask: readyz, livez or startupz (default: readyz)",
                        "NAME",
                        {"readyz", "livez", "startupz"}},
                       {"--timeout", Seconds{&timeout_seconds_, 0.1, 60},
                        "How long an answer may take (default: 3)", "SECONDS"}});
  }

  int run(const Console& console) override {
    const auto plan = plan_.read();
    if (!plan) return usage_error(console, about().name, plan.error());
    const auto prepared = prepare(*plan, Values::optional, environ);
    if (!prepared) return no(console, "no: the plan is refused; `arizuko-init check` says why");
    const auto& probes = prepared->plan.pod.probes;
    if (!probes) return no(console, "no: the plan has no probe listener; set pod.probes");
    const auto answer = first_answer(*probes);
    if (!answer) return no(console, "no: " + answer.error());
    if (answer->status < 200 || answer->status >= 400)
      return no(console, fmt::format("no: {}: {} {}", answer->where, answer->status, answer->line));
    console.out(fmt::format("yes: {}: {}\n", answer->where, answer->line));
    return exit_code::yes;
  }

 private:
  static constexpr double usual_seconds = 3;

  static int no(const Console& console, const std::string& line) {
    console.out(line + '\n');
    return exit_code::no;
  }

  /// The first who answers, whatever he says; else why the first one did not.
  std::expected<Answer, Error> first_answer(const plan::Address& address) const {
    const auto patience = std::chrono::duration<double>(timeout_seconds_.value_or(usual_seconds));
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(patience);
    std::optional<Error> first;
    for (const std::string& ip : where_to_ask(address)) {
      const plan::Address target{ip, address.port};
      const std::string where = fmt::format("{}/{}", text_of(target), probe_);
      auto answer = ask(target, "/" + probe_, deadline);
      if (answer) {
        answer->where = where;
        return answer;
      }
      if (!first) first = fmt::format("{}: {}", where, answer.error());
    }
    return std::unexpected(*first);
  }

  PlanWords plan_;
  std::string probe_ = "readyz";
  std::optional<double> timeout_seconds_;
};

}  // namespace

std::unique_ptr<Command> healthcheck_command() { return std::make_unique<Healthcheck>(); }

}  // namespace arizuko::cli
