#include "http.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace rehearsal {
namespace {

namespace beast = boost::beast;
constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t header_limit_bytes = 16 << 10;
constexpr std::uint64_t body_limit_bytes = 1 << 20;
constexpr auto idle_limit = std::chrono::seconds(30);

std::string_view standard(beast::string_view text) { return {text.data(), text.size()}; }

// net/http says "Post", "Get".
std::string method_word(http::verb verb) {
  std::string word{standard(http::to_string(verb))};
  for (std::size_t at = 1; at < word.size(); ++at) word[at] = static_cast<char>(word[at] | 0x20);
  return word;
}

// "connection refused", as Go prints it, from "Connection refused".
std::string small_message(const boost::system::error_code& error) {
  if (error == beast::error::timeout) return "context deadline exceeded";
  auto text = error.message();
  if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z')
    text.front() = static_cast<char>(text.front() | 0x20);
  return text;
}

}  // namespace

std::string_view path_of(const Request& request) {
  const auto target = standard(request.target());
  return target.substr(0, target.find('?'));
}

std::string_view header(const Request& request, http::field name) { return standard(request[name]); }

std::string_view bearer_of(const Request& request) {
  const auto value = header(request, http::field::authorization);
  return value.starts_with("Bearer ") ? value.substr(7) : std::string_view{};
}

Response text_reply(unsigned status, std::string body) {
  Response reply;
  reply.result(status);
  reply.set(http::field::content_type, "text/plain; charset=utf-8");
  reply.body() = std::move(body);
  return reply;
}

Response json_reply(unsigned status, std::string body) {
  auto reply = text_reply(status, std::move(body));
  reply.set(http::field::content_type, "application/json");
  return reply;
}

Response error_reply(unsigned status, std::string_view why) {
  boost::json::object body{{"ok", false}};
  body["error"] = boost::json::string(why.data(), why.size());
  return json_reply(status, boost::json::serialize(body));
}

asio::awaitable<void> serve_session(Tcp::socket socket, const Handler& handler, const AfterAnswer& after) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer(header_limit_bytes + body_limit_bytes);
  boost::system::error_code failed;
  const auto peer = stream.socket().remote_endpoint(failed);
  while (!failed) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(header_limit_bytes);
    parser.body_limit(body_limit_bytes);
    stream.expires_after(idle_limit);
    if (auto [error, size] = co_await http::async_read(stream, buffer, parser, as_pair); error) break;
    stream.expires_never();
    auto request = parser.release();
    const auto begun = std::chrono::steady_clock::now();
    Response reply = co_await handler(request, peer);
    if (reply.result_int() == 0) {
      // hang-health: the connection stays open without an answer until the client gives up.
      char nothing = 0;
      co_await stream.socket().async_read_some(asio::buffer(&nothing, 1), as_pair);
      break;
    }
    reply.version(request.version());
    reply.keep_alive(request.keep_alive());
    reply.prepare_payload();
    if (request.method() == http::verb::head) reply.body().clear();
    stream.expires_after(idle_limit);
    auto [error, size] = co_await http::async_write(stream, reply, as_pair);
    const auto took = std::chrono::steady_clock::now() - begun;
    if (after)
      after(request, reply.result_int(), std::chrono::duration_cast<std::chrono::microseconds>(took));
    if (error || !reply.keep_alive()) break;
  }
  stream.socket().shutdown(Tcp::socket::shutdown_both, failed);
}

std::expected<asio::ip::address, std::string> numeric_host(std::string_view host) {
  if (host.empty()) return asio::ip::address_v6::any();
  if (host == "localhost") return asio::ip::address_v4::loopback();
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error) return std::unexpected(fmt::format("dial tcp: lookup {}: no such host", host));
  return address;
}

asio::awaitable<std::expected<Response, std::string>> http_exchange(Url url, Request request,
                                                                    std::chrono::milliseconds timeout) {
  const auto address = numeric_host(url.host);
  if (!address) co_return std::unexpected(address.error());
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(timeout);
  auto [refused] = co_await stream.async_connect(Tcp::endpoint(*address, url.port), as_pair);
  if (refused) {
    co_return std::unexpected(
        fmt::format("dial tcp {}:{}: connect: {}", url.host, url.port, small_message(refused)));
  }
  request.prepare_payload();
  auto [cut, sent] = co_await http::async_write(stream, request, as_pair);
  if (cut) co_return std::unexpected(small_message(cut));
  beast::flat_buffer buffer(header_limit_bytes + body_limit_bytes);
  http::response_parser<http::string_body> parser;
  parser.header_limit(header_limit_bytes);
  parser.body_limit(body_limit_bytes);
  auto [error, got] = co_await http::async_read(stream, buffer, parser, as_pair);
  if (error) co_return std::unexpected(error == http::error::end_of_stream ? "EOF" : small_message(error));
  co_return parser.release();
}

asio::awaitable<std::expected<Response, std::string>> http_call(Call call) {
  const auto named = [&](std::string_view why) {
    return std::unexpected(fmt::format("{} \"{}\": {}", method_word(call.method), call.url, why));
  };
  const auto url = parse_url(call.url);
  if (!url) co_return named(url.error());
  Request request{call.method, url->path, 11};
  request.set(http::field::host, fmt::format("{}:{}", url->host, url->port));
  request.set(http::field::user_agent, "arizuko-rehearsal");
  request.set(http::field::connection, "close");
  if (!call.bearer.empty()) request.set(http::field::authorization, fmt::format("Bearer {}", call.bearer));
  if (!call.body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = call.body;
  auto reply = co_await http_exchange(*url, std::move(request), call.timeout);
  if (!reply) co_return named(reply.error());
  co_return reply;
}

}  // namespace rehearsal
