#include "routes.hpp"

#include "json.hpp"

#include <fmt/format.h>

#include <set>

namespace rehearsal {
namespace {

std::expected<Route, std::string> parse_route(const json::value& value) {
  if (!value.is_object()) return std::unexpected("a route must be an object");
  const auto& object = value.get_object();
  Route route;
  route.path = text_at(object, "path");
  route.backend = text_at(object, "backend");
  route.auth = text_at(object, "auth");
  route.gated_by = text_at(object, "gated_by");
  route.preserve_headers = texts_at(object, "preserve_headers");
  const auto* strip = object.if_contains("strip_prefix");
  route.strip_prefix = strip != nullptr && strip->is_bool() && strip->get_bool();
  if (!route.path.starts_with('/'))
    return std::unexpected(fmt::format("route path {:?} must begin with /", route.path));
  if (route.backend.empty()) return std::unexpected(fmt::format("route {}: empty backend", route.path));
  if (route.auth != "public" && route.auth != "user" && route.auth != "operator") {
    return std::unexpected(fmt::format("route {}: unknown auth {:?}", route.path, route.auth));
  }
  return route;
}

}  // namespace

std::expected<std::vector<Route>, std::string> parse_routes(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return std::unexpected(fmt::format("PROXYD_ROUTES_JSON: {}", error.message()));
  if (!value.is_array()) return std::unexpected("PROXYD_ROUTES_JSON: want an array");
  std::vector<Route> routes;
  std::set<std::string> paths;
  for (const auto& item : value.get_array()) {
    auto route = parse_route(item);
    if (!route) return std::unexpected(fmt::format("PROXYD_ROUTES_JSON: {}", route.error()));
    if (!paths.insert(route->path).second) {
      return std::unexpected(fmt::format("PROXYD_ROUTES_JSON: duplicate path {}", route->path));
    }
    routes.push_back(std::move(*route));
  }
  return routes;
}

const Route* match_route(const std::vector<Route>& routes, std::string_view path) {
  const Route* best = nullptr;
  for (const auto& route : routes) {
    if (path.starts_with(route.path) && (best == nullptr || route.path.size() > best->path.size()))
      best = &route;
  }
  return best;
}

}  // namespace rehearsal
