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
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace arizuko::host {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

std::string in_time(std::chrono::milliseconds timeout) {
  return timeout.count() % 1000 == 0 ? fmt::format("{}s", timeout.count() / 1000)
                                     : fmt::format("{}ms", timeout.count());
}

LookResult failed(const RunningLook& running, const TcpLook& look, std::string detail) {
  if (running.timed_out) return {false, "no answer within " + in_time(look.timeout)};
  return {false, std::move(detail)};
}

http::request<http::empty_body> make_request(const TcpLook& look) {
  http::request<http::empty_body> request{http::verb::get, look.http->path, 11};
  // The numeric address: proxyd answers for a virtual host where the name matches one (T30).
  const bool v6 = look.address.contains(':');
  request.set(http::field::host,
              fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), look.address, look.port));
  request.set(http::field::user_agent, "arizuko-init");
  request.set(http::field::accept, "*/*");
  request.set(http::field::connection, "close");
  return request;
}

/// Reads at most longest_body_bytes of the body, and no further than `contains` is found.
asio::awaitable<LookResult> judge_body(std::shared_ptr<RunningLook> running, const TcpLook& look,
                                       boost::beast::flat_buffer& buffer,
                                       http::response_parser<http::buffer_body>& parser) {
  const std::string& wanted = look.http->contains;
  std::string body;
  std::array<char, 4096> part;
  while (!parser.is_done() && body.size() < longest_body_bytes) {
    if (!wanted.empty() && body.contains(wanted)) break;
    parser.get().body().data = part.data();
    parser.get().body().size = std::min(part.size(), longest_body_bytes - body.size());
    const std::size_t room = parser.get().body().size;
    const auto [error, bytes] = co_await http::async_read_some(running->socket, buffer, parser, use_tuple);
    body.append(part.data(), room - parser.get().body().size);
    if (error && error != http::error::need_buffer) {
      if (!wanted.empty() && body.contains(wanted)) break;
      if (error == http::error::end_of_stream) break;
      co_return failed(*running, look, "the answer breaks off: " + phrase(error));
    }
  }
  if (wanted.empty() || body.contains(wanted)) co_return LookResult{true, {}};
  co_return LookResult{
      false, fmt::format("status {}, but the body lacks \"{}\"", parser.get().result_int(), wanted)};
}

asio::awaitable<LookResult> ask(std::shared_ptr<RunningLook> running, const TcpLook& look) {
  const http::request<http::empty_body> request = make_request(look);
  const auto [write_error, written] = co_await http::async_write(running->socket, request, use_tuple);
  if (write_error) co_return failed(*running, look, phrase(write_error));

  boost::beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.header_limit(longest_body_bytes);
  parser.body_limit(boost::none);  // judge_body stops where it has seen enough
  const auto [read_error, bytes] =
      co_await http::async_read_header(running->socket, buffer, parser, use_tuple);
  if (read_error == http::error::end_of_stream) {
    co_return failed(*running, look, "closed the connection without an answer");
  }
  if (read_error) {
    const bool spoke = read_error.category() == make_error_code(http::error::bad_version).category();
    co_return failed(*running, look, (spoke ? "no HTTP answer: " : "") + phrase(read_error));
  }
  const unsigned status = parser.get().result_int();
  if (status < 200 || status > 399) co_return LookResult{false, fmt::format("status {}", status)};
  // Nothing asked of the body and its end not told: it may be a stream without an end.
  const auto length = parser.content_length();
  if (look.http->contains.empty() && (!length || *length > longest_body_bytes))
    co_return LookResult{true, {}};
  co_return co_await judge_body(running, look, buffer, parser);
}

asio::awaitable<LookResult> run(std::shared_ptr<RunningLook> running, TcpLook look) {
  co_await asio::post(use_tuple);                  // not from inside start_look
  if (running->cancelled) co_return LookResult{};  // its closed socket would be opened again
  error_code error;
  const auto address = asio::ip::make_address(look.address, error);
  if (error) co_return LookResult{false, fmt::format("{} is no numeric address", look.address)};
  const auto [connect_error] = co_await running->socket.async_connect({address, look.port}, use_tuple);
  if (connect_error) co_return failed(*running, look, phrase(connect_error));
  if (look.refuse) {
    if (auto refusal = look.refuse()) co_return LookResult{false, std::move(*refusal)};
  }
  if (!look.http) co_return LookResult{true, {}};
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
                   if (fault) result = {false, "the look failed inside arizuko-init"};
                   done(std::move(result));
                 });
  return running;
}

LookResult look_at_unix_socket(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return {false, "its path is longer than 107 bytes"};
  std::ranges::copy(path, name.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int result =
      socket < 0 ? -1 : ::connect(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (result == 0) return {true, {}};
  // unix(7): a full backlog is EAGAIN at once; it is not a connection under way, as with TCP.
  if (error == EAGAIN && socket >= 0) return {false, "it accepts no connections: its backlog is full"};
  return {false, phrase(error_code(error, boost::system::system_category()))};
}

}  // namespace arizuko::host
