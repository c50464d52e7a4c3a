// Takes a request target apart (RFC 3986: path, query, percent-encoding).
#include "arizuko/api/routes.hpp"
#include "arizuko/base/percent.hpp"

namespace arizuko::api {

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
  std::optional<std::string> path = base::percent_decoded(target.substr(0, mark));
  if (!path || path->empty() || path->front() != '/') return std::nullopt;
  request.path = std::move(*path);
  std::string_view rest = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::optional<std::string> name = base::percent_decoded(pair.substr(0, equals));
    std::optional<std::string> value =
        equals == std::string_view::npos ? std::string{} : base::percent_decoded(pair.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    request.query.emplace_back(std::move(*name), std::move(*value));
  }
  return request;
}

}  // namespace arizuko::api
