#include "http_text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

namespace arizuko::api {

namespace http = boost::beast::http;

namespace {

using Message = http::request<http::empty_body>;

std::expected<std::uint64_t, Response> body_bytes(const Message& message, std::uint64_t announced,
                                                  const Limits& limits) {
  const auto encodings = message.equal_range(http::field::transfer_encoding);
  const auto how_many = std::distance(encodings.first, encodings.second);
  if (how_many > 0 && message.count(http::field::content_length) > 0) {
    return std::unexpected(limit_answer(
        400, "Content-Length and Transfer-Encoding together: where the request ends is ambiguous"));
  }
  if (how_many > 0) {
    const bool chunked = how_many == 1 && boost::beast::iequals(encodings.first->value(),
                                                                boost::beast::string_view("chunked"));
    if (!chunked) return std::unexpected(limit_answer(501, "this Transfer-Encoding is not supported"));
    if (limits.body_bytes > 0)
      return std::unexpected(limit_answer(501, "a chunked body is not accepted: send Content-Length"));
  }
  if ((how_many > 0 || announced > 0) && limits.body_bytes == 0)
    return std::unexpected(limit_answer(413, "a request body is not accepted here"));
  if (announced > limits.body_bytes) {
    return std::unexpected(
        limit_answer(413, fmt::format("the body is longer than {} bytes", limits.body_bytes)));
  }
  return announced;
}

}  // namespace

std::size_t end_of_head(std::string_view bytes, std::size_t from) {
  constexpr std::string_view empty_line = "\r\n\r\n";
  const std::size_t at = bytes.find(empty_line, from);
  return at == std::string_view::npos ? at : at + empty_line.size();
}

std::expected<RequestHead, Response> parse_head(std::string_view head, const Limits& limits) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(head.size()));
  parser.body_limit(boost::none);  // judged here
  boost::system::error_code error;
  parser.put(boost::asio::buffer(head), error);
  if (error || !parser.is_header_done()) {
    return std::unexpected(
        limit_answer(400, "this is not an HTTP request" + (error ? ": " + error.message() : std::string())));
  }
  const Message& message = parser.get();
  const auto announced = body_bytes(message, parser.content_length().value_or(0), limits);
  if (!announced) return std::unexpected(announced.error());
  return RequestHead{std::string(message.method_string()), std::string(message.target()), message.version(),
                     message.keep_alive(), *announced};
}

Response limit_answer(int status, std::string sentence) {
  Response response;
  response.status = status;
  response.body = std::move(sentence) + '\n';
  return response;
}

std::string head_text(const Response& response, unsigned version, bool keep_alive) {
  std::string text = fmt::format(
      "HTTP/{}.{} {} {}\r\nServer: arizuko-init\r\nContent-Type: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n",
      version / 10, version % 10, response.status,
      std::string_view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)))),
      response.content_type);
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  if (!keep_alive)
    text += "Connection: close\r\n";
  else if (version < 11)
    text += "Connection: keep-alive\r\n";
  text += response.stream ? "Transfer-Encoding: chunked\r\n\r\n"
                          : fmt::format("Content-Length: {}\r\n\r\n", response.body.size());
  return text;
}

}  // namespace arizuko::api
