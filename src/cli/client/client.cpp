#include "client.hpp"

#include <cstring>

#include <fmt/format.h>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "arizuko/api/routes.hpp"
#include "control_socket.hpp"

namespace arizuko::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

std::string cannot_reach(const std::string& address, std::string_view why) {
  return fmt::format("cannot reach arizuko-init at {}: {}", address, why);
}

using Parser = http::response_parser<http::string_body>;

std::string request_text(std::string_view method, const std::string& target) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: arizuko-init\r\nConnection: close\r\n{}\r\n", method, target,
                     method == "POST" ? "Content-Length: 0\r\n" : "");
}

/// With the question sent.
std::expected<Connection, std::string> open(const std::string& address, std::string_view question) {
  std::expected<Connection, std::string> connection = open_control_socket(address);
  if (!connection) return std::unexpected(cannot_reach(address, connection.error()));
  if (const auto sent = connection->send(question); !sent)
    return std::unexpected(cannot_reach(address, std::strerror(sent.error())));
  return std::move(*connection);
}

std::string broken(const std::string& address, const error_code& error) {
  if (error == asio::error::timed_out) {
    return cannot_reach(address, fmt::format("no answer within {} ms", patience.count()));
  }
  return cannot_reach(address, "the connection broke: " + error.message());
}

Reply reply_of(Parser& parser) {
  auto& message = parser.get();
  const bool well = message[api::all_well_header] == "yes";
  return {static_cast<int>(message.result_int()), std::move(message.body()), well};
}

std::expected<Reply, std::string> ask(const std::string& address, std::string_view method,
                                      const std::string& target) {
  std::expected<Connection, std::string> connection = open(address, request_text(method, target));
  if (!connection) return std::unexpected(connection.error());
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(std::uint64_t{64} * 1024 * 1024);
  error_code error;
  http::read(*connection, buffer, parser, error);
  if (error) return std::unexpected(broken(address, error));
  return reply_of(parser);
}

}  // namespace

std::expected<Reply, std::string> Client::get(const std::string& target) const {
  return ask(address_, "GET", target);
}
std::expected<Reply, std::string> Client::post(const std::string& target) const {
  return ask(address_, "POST", target);
}

std::expected<Reply, std::string> Client::stream(const std::string& target, std::chrono::milliseconds wait,
                                                 const TakeLine& take) const {
  std::expected<Connection, std::string> connection = open(address_, request_text("GET", target));
  if (!connection) return std::unexpected(connection.error());
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(boost::none);
  error_code error;
  http::read_header(*connection, buffer, parser, error);
  if (error) return std::unexpected(broken(address_, error));
  if (!parser.chunked()) {
    http::read(*connection, buffer, parser, error);
    if (error) return std::unexpected(broken(address_, error));
    return reply_of(parser);
  }
  connection->set_patience(wait);
  std::string& body = parser.get().body();
  for (;;) {
    std::size_t begin = 0;
    for (std::size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', begin)) {
      if (take(std::string_view(body).substr(begin, end - begin)) == More::no) return Reply{200, {}, false};
      begin = end + 1;
    }
    body.erase(0, begin);
    if (parser.is_done()) return Reply{200, {}, false};
    http::read_some(*connection, buffer, parser, error);
    if (error == asio::error::timed_out) {
      return std::unexpected(fmt::format("nothing came from {} within {} ms", address_, wait.count()));
    }
    if (error) return std::unexpected(broken(address_, error));
  }
}

}  // namespace arizuko::cli
