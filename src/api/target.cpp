// Takes a request target apart (RFC 3986: path, query, percent-encoding).
#include "arizuko/api/routes.hpp"

namespace arizuko::api {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

std::optional<std::string> Request::value(std::string_view key) const {
  std::optional<std::string> found;
  for (const auto& [name, text] : query) {
    if (name == key) found = text;
  }
  return found;
}

std::optional<Request> parse_target(std::string_view method, std::string_view target) {
  Request request;
  request.method = method;
  const std::size_t mark = target.find('?');
  std::optional<std::string> path = decode(target.substr(0, mark));
  if (!path || path->empty() || path->front() != '/') return std::nullopt;
  request.path = std::move(*path);
  std::string_view rest = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::optional<std::string> name = decode(pair.substr(0, equals));
    std::optional<std::string> value =
        equals == std::string_view::npos ? std::string{} : decode(pair.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    request.query.emplace_back(std::move(*name), std::move(*value));
  }
  return request;
}

}  // namespace arizuko::api
