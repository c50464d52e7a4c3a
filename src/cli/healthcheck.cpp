// `healthcheck`: one question to the probe port, for what can only run a command: Docker's HEALTHCHECK.
//
// Needs nothing of the image: no shell, no wget. Says one line and ends with 0 or 1, as Docker wants it.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arizuko/host/conditions/http_answer.hpp"
#include "prepare.hpp"

namespace arizuko::cli {

namespace {

using Clock = std::chrono::steady_clock;
using Error = std::string;  // a phrase

constexpr std::size_t longest_answer_bytes = 16 * 1024;

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

class Question {
 public:
  Question(plan::Address address, Clock::time_point deadline)
      : address_(std::move(address)), deadline_(deadline) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() {
    if (socket_ >= 0) ::close(socket_);
  }

  std::expected<std::string, Error> ask(const std::string& path) {
    if (auto connected = connect(); !connected) return std::unexpected(connected.error());
    const std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, text_of(address_));
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != std::ssize(request))
      return std::unexpected(std::strerror(errno));
    return read_all();
  }

 private:
  bool wait_for(short what) const {
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) return false;
      pollfd ready{socket_, what, 0};
      const int number = ::poll(&ready, 1, static_cast<int>(left));
      if (number > 0) return true;
      if (number == 0 || errno != EINTR) return false;
    }
  }

  std::expected<void, Error> connect() {
    union {
      sockaddr any;
      sockaddr_in v4;
      sockaddr_in6 v6;
    } target{};
    const bool is_v6 = address_.ip.find(':') != std::string::npos;
    target.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    (is_v6 ? target.v6.sin6_port : target.v4.sin_port) = htons(address_.port);
    void* ip = is_v6 ? static_cast<void*>(&target.v6.sin6_addr) : &target.v4.sin_addr;
    if (::inet_pton(target.any.sa_family, address_.ip.c_str(), ip) != 1)
      return std::unexpected("it is no address");
    socket_ = ::socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const socklen_t size = is_v6 ? sizeof target.v6 : sizeof target.v4;
    if (::connect(socket_, &target.any, size) == 0) return {};
    if (errno != EINPROGRESS) return std::unexpected(std::strerror(errno));
    if (!wait_for(POLLOUT)) return std::unexpected("no answer in time");
    int failed = 0;
    socklen_t length = sizeof failed;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failed, &length);
    if (failed != 0) return std::unexpected(std::strerror(failed));
    return {};
  }

  std::expected<std::string, Error> read_all() {
    std::string answer;
    std::array<char, 4096> buffer{};
    while (answer.size() < longest_answer_bytes) {
      if (!wait_for(POLLIN)) return std::unexpected("no answer in time");
      const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) return std::unexpected(std::strerror(errno));
      if (got == 0) break;
      answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return answer;
  }

  plan::Address address_;
  Clock::time_point deadline_;
  int socket_ = -1;
};

struct Answer {
  unsigned status = 0;
  std::string line;   // the first of the body
  std::string where;  // who gave it
};

std::expected<Answer, Error> parse(const std::string& text) {
  host::HttpAnswer read;
  read.take(text);
  read.close();
  if (read.status() == 0) return std::unexpected("what answers there is no arizuko-init: " + read.trouble());
  Answer answer{read.status(), read.body().substr(0, read.body().find('\n')), ""};
  std::erase_if(answer.line, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return answer;
}

/// The first who answers, whatever he says; else why the first one did not.
std::expected<Answer, Error> ask(const HealthOptions& options, const plan::Address& address) {
  const auto patience = std::chrono::duration<double>(options.timeout_seconds);
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(patience);
  std::optional<Error> first;
  for (const std::string& ip : where_to_ask(address)) {
    const plan::Address target{ip, address.port};
    const std::string where = fmt::format("{}/{}", text_of(target), options.probe);
    const auto text = Question(target, deadline).ask("/" + options.probe);
    auto answer = text ? parse(*text) : std::unexpected(text.error());
    if (answer) {
      answer->where = where;
      return answer;
    }
    if (!first) first = fmt::format("{}: {}", where, answer.error());
  }
  return std::unexpected(*first);
}

int no(const Console& console, const std::string& line) {
  console.out(line + '\n');
  return exit_code::no;
}

}  // namespace

int healthcheck(const HealthOptions& options, const Console& console) {
  const auto prepared = prepare(options.plan, Values::optional, environ);
  if (!prepared) return no(console, "no: the plan is refused; `arizuko-init check` says why");
  const auto& probes = prepared->plan.pod.probes;
  if (!probes) return no(console, "no: the plan has no probe listener; set pod.probes");
  const auto answer = ask(options, *probes);
  if (!answer) return no(console, "no: " + answer.error());
  if (answer->status < 200 || answer->status >= 400)
    return no(console, fmt::format("no: {}: {} {}", answer->where, answer->status, answer->line));
  console.out(fmt::format("yes: {}: {}\n", answer->where, answer->line));
  return exit_code::yes;
}

}  // namespace arizuko::cli
