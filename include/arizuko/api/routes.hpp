// What is answered to which request: plain functions, without a socket.
//
// A route sees a request that is complete and within its limits. It answers with a whole body or, for
// events and logs, with a stream that is asked for its next piece: a stream keeps only the number of
// the last line it gave, so that a slow reader costs nothing and loses, with a line that says how
// many, what the history has dropped meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

struct Request {
  std::string method;                                      // "GET"
  std::string path;                                        // decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string by;  // who asks, on the control socket: "operator (uid 1000)"

  /// The last value of a key of the query.
  std::optional<std::string> value(std::string_view key) const;
};

/// Splits and decodes a request target: "/v1/logs?service=a%20b&lines=3". nullopt: malformed.
std::optional<Request> parse_target(std::string_view method, std::string_view target);

class LineStream {
 public:
  static constexpr std::size_t max_piece_bytes = 32 * 1024;
  virtual ~LineStream() = default;
  /// Whole lines of JSON, at most about max_piece_bytes; empty when there is nothing new.
  virtual std::string next() = 0;
  /// More may come: wait for a change when next() is empty.
  bool follow = false;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<LineStream> stream;  // in place of body
};

/// Probe port: /livez /readyz /startupz /health /metrics.
Response probe_route(const Request& request, const host::Instance& instance);
/// Status page: / for people.
Response page_route(const Request& request, const host::Instance& instance);
/// Control socket: GET /v1/status /v1/why /v1/events /v1/logs /v1/secrets /v1/services/@GROUP,
/// POST /v1/services/NAME/VERB /v1/reload /v1/secrets/KEY/accept.
/// The stream of a response refers to `instance`.
Response control_route(const Request& request, host::Instance& instance);

/// Says on /v1/status whether all is well ("yes" or "no"): engine::all_well.
inline constexpr std::string_view all_well_header = "Arizuko-All-Well";

}  // namespace arizuko::api
