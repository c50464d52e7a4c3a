// proxyd's routes: PROXYD_ROUTES_JSON and the choice of a route. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rehearsal {

struct Route {
  std::string path, backend, auth, gated_by;
  std::vector<std::string> preserve_headers;
  bool strip_prefix = false;
};

// An unknown auth, no leading '/', an empty backend or a path twice is an error (contract section 11).
std::expected<std::vector<Route>, std::string> parse_routes(std::string_view text);

// The longest path that `path` begins with; nullptr when there is none.
const Route* match_route(const std::vector<Route>& routes, std::string_view path);

}  // namespace rehearsal
