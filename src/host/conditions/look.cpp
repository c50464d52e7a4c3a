#include "look.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/unix_address.hpp"

namespace arizuko::host {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

std::string in_time(std::chrono::milliseconds timeout) {
  return timeout.count() % 1000 == 0 ? fmt::format("{}s", timeout.count() / 1000)
                                     : fmt::format("{}ms", timeout.count());
}

/// Nothing that can be judged came back. From the service itself that is a no; another one's silence says
/// nothing about this one.
LookResult failed(const RunningLook& running, const TcpLook& look, std::string detail) {
  if (running.timed_out) detail = "no answer within " + in_time(look.timeout);
  return {look.asked == Asked::itself ? Verdict::no : Verdict::cannot_tell, std::move(detail)};
}

bool is_right(const std::vector<plan::StatusRange>& ranges, unsigned status) {
  return std::ranges::any_of(ranges, [status](const plan::StatusRange& range) {
    return range.first <= status && status <= range.last;
  });
}

/// What says something of us, or of the machine, and nothing of whom we ask.
bool is_our_own(const error_code& error) {
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAGAIN: return error.category() == boost::system::system_category();
    default: return false;
  }
}

/// "I know nothing of it" is an answer; "who are you?" and "not now" are none.
bool says_no(unsigned status) {
  constexpr unsigned not_found = 404;
  constexpr unsigned gone = 410;
  return status == not_found || status == gone;
}

/// Nothing is asked of a body whose end is not told, or far away: it may be a stream without an end.
bool body_matters(const TcpLook::Http& http, const HttpAnswer& answer) {
  return !http.contains.empty() || (answer.body_length() && *answer.body_length() <= longest_body_bytes);
}

/// What is known so far; nothing while more of the answer may change it.
std::optional<LookResult> judge(const TcpLook& look, const HttpAnswer& answer, const RunningLook& running) {
  const TcpLook::Http& http = *look.http;
  const unsigned status = answer.status();
  if (answer.state() == HttpAnswer::State::head) return std::nullopt;
  if (status != 0 && !is_right(http.status, status)) {
    const bool no = look.asked == Asked::itself || says_no(status);
    return LookResult{no ? Verdict::no : Verdict::cannot_tell, fmt::format("status {}", status)};
  }
  if (status != 0 && !http.contains.empty() && answer.body().contains(http.contains))
    return LookResult{Verdict::yes, {}};
  if (answer.state() == HttpAnswer::State::broken) return failed(running, look, answer.trouble());
  if (!body_matters(http, answer)) return LookResult{Verdict::yes, {}};
  if (answer.state() == HttpAnswer::State::body) return std::nullopt;
  if (http.contains.empty()) return LookResult{Verdict::yes, {}};
  const bool cut = answer.body().size() >= longest_body_bytes;
  if (cut && look.asked == Asked::another)
    return LookResult{Verdict::cannot_tell, fmt::format("status {}, and a body longer than 64 KiB", status)};
  return LookResult{Verdict::no, fmt::format("status {}, but the body lacks \"{}\"", status, http.wanted)};
}

asio::awaitable<LookResult> ask(std::shared_ptr<RunningLook> running, const TcpLook& look) {
  const auto [write_error, written] =
      co_await asio::async_write(running->socket, asio::buffer(look.http->request), use_tuple);
  if (write_error) co_return failed(*running, look, phrase(write_error));
  HttpAnswer answer(look.http->body);
  std::array<char, 4096> part;
  for (;;) {
    const auto [error, bytes] = co_await running->socket.async_read_some(asio::buffer(part), use_tuple);
    answer.take({part.data(), bytes});
    if (error == asio::error::eof) answer.close();
    if (auto known = judge(look, answer, *running)) co_return std::move(*known);
    if (error) co_return failed(*running, look, phrase(error));
  }
}

asio::awaitable<LookResult> run(std::shared_ptr<RunningLook> running, TcpLook look) {
  co_await asio::post(use_tuple);                  // not from inside start_look
  if (running->cancelled) co_return LookResult{};  // its closed socket would be opened again
  error_code error;
  const auto address = asio::ip::make_address(look.address, error);
  if (error) co_return failed(*running, look, fmt::format("{} is no numeric address", look.address));
  const auto [connect_error] = co_await running->socket.async_connect({address, look.port}, use_tuple);
  if (is_our_own(connect_error)) co_return LookResult{Verdict::cannot_tell, phrase(connect_error)};
  if (connect_error) co_return failed(*running, look, phrase(connect_error));
  if (look.refuse) {
    if (auto refusal = look.refuse()) co_return failed(*running, look, std::move(*refusal));
  }
  if (!look.http) co_return LookResult{Verdict::yes, {}};
  co_return co_await ask(running, look);
}

}  // namespace

void RunningLook::cancel() {
  cancelled = true;
  error_code ignored;
  socket.close(ignored);
  deadline.cancel();
}

std::string phrase(const error_code& error) {
  std::string text = error.message();
  if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z') {
    text.front() = static_cast<char>(text.front() - 'A' + 'a');
  }
  return text;
}

std::shared_ptr<RunningLook> start_look(asio::io_context& io, TcpLook look,
                                        std::function<void(LookResult)> done) {
  auto running = std::make_shared<RunningLook>(io);
  running->deadline.expires_after(look.timeout);
  running->deadline.async_wait([weak = std::weak_ptr(running)](error_code error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->timed_out = true;
    error_code ignored;
    self->socket.close(ignored);
  });
  asio::co_spawn(io, run(running, std::move(look)),
                 [running, done = std::move(done)](std::exception_ptr fault, LookResult result) {
                   running->deadline.cancel();
                   if (running->cancelled) return;
                   error_code ignored;
                   running->socket.close(ignored);
                   if (fault) result = {Verdict::cannot_tell, "the look failed inside arizuko-init"};
                   done(std::move(result));
                 });
  return running;
}

LookResult look_at_unix_socket(const std::string& path) {
  const auto address = posix::UnixAddress::of(path);
  if (!address) return {Verdict::no, "its path is longer than 107 bytes"};
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int result = socket < 0 ? -1 : ::connect(socket, address->get(), address->size());
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (result == 0) return {Verdict::yes, {}};
  if (socket < 0) return {Verdict::cannot_tell, phrase(error_code(error, boost::system::system_category()))};
  // unix(7): a full backlog is EAGAIN at once; it is not a connection under way, as with TCP.
  if (error == EAGAIN) return {Verdict::no, "it accepts no connections: its backlog is full"};
  return {Verdict::no, phrase(error_code(error, boost::system::system_category()))};
}

LookResult look_at_path(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0) return {Verdict::yes, {}};
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR) return {Verdict::no, "there is no " + path};
  const std::string why = phrase(error_code(error, boost::system::system_category()));
  return {Verdict::cannot_tell, fmt::format("{}: {}", path, why)};
}

}  // namespace arizuko::host
