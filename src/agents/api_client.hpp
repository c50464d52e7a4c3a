// Requests to the Kubernetes API server: HTTP/1.1 over TLS, one connection a request, one thread.
//
// Every step has a limit in time and size. What may pass is tried again with a growing pause (retry.hpp);
// the token is read anew for each attempt. Nothing of a token ever reaches a message.
#pragma once

#include <boost/beast/http/verb.hpp>
#include <functional>
#include <memory>

#include "connection.hpp"
#include "json.hpp"
#include "kube_config.hpp"
#include "retry.hpp"
#include "web_socket.hpp"

namespace arizuko::agents {

/// Why there is no answer of the 200s.
struct ApiError {
  unsigned status = 0;  // of HTTP; 0: no answer
  std::string reason;   // Kubernetes' word: AlreadyExists, Forbidden ...
  std::string text;     // a whole sentence
  std::optional<Milliseconds> retry_after;
};

template <class Value>
using ApiResult = std::expected<Value, ApiError>;

struct Call {
  http::verb method = http::verb::get;
  std::string target;
  std::string body;            // JSON; empty: none
  Milliseconds limit{15'000};  // of one attempt, up to its whole answer
};

/// A connection that reads until it is told to stop.
class OpenStream {
 public:
  void close();

 private:
  friend class ApiClient;
  std::shared_ptr<Connection> connection_;
  bool closed_ = false;
};

class ApiClient {
 public:
  static Result<std::unique_ptr<ApiClient>> create(asio::io_context& io, Cluster cluster);

  /// Tried again within `budget`, which also cuts the attempts short; without any there is one whole attempt.
  /// The answer's body as JSON.
  asio::awaitable<ApiResult<json::value>> call(Call call, Milliseconds budget);

  using OnBytes = std::function<void(std::string_view)>;
  /// One attempt; the body goes to `on_bytes` as it comes, for as long as the server sends; between two
  /// pieces there may be `idle`.
  asio::awaitable<ApiResult<void>> stream(Call call, OnBytes on_bytes, Seconds idle, OpenStream& handle);

  struct Channels {
    std::shared_ptr<WebSocket> socket;
    bool can_half_close = false;  // v5
  };
  /// One attempt of a WebSocket with the channels of attach_channels.hpp.
  asio::awaitable<ApiResult<Channels>> open_channels(std::string target);

  asio::awaitable<void> pause(Milliseconds time);
  asio::io_context& io() { return io_; }
  const Cluster& cluster() const { return cluster_; }

  /// "/api/v1/namespaces/NS" and "/apis/batch/v1/namespaces/NS/jobs".
  std::string core_path() const;
  std::string jobs_path() const;

 private:
  ApiClient(asio::io_context& io, Cluster cluster);
  Result<void> prepare_tls();
  struct Exchange;
  asio::awaitable<ApiResult<std::shared_ptr<Connection>>> connect(std::string what, Clock::time_point limit);
  asio::awaitable<ApiResult<void>> begin(Exchange& exchange);
  asio::awaitable<ApiResult<void>> read_body(Exchange& exchange, const OnBytes& on_bytes);
  asio::awaitable<ApiResult<void>> exchange(Call call, const OnBytes& on_bytes, Seconds idle,
                                            OpenStream* handle);
  asio::awaitable<ApiError> read_refusal(Exchange& exchange);
  asio::awaitable<ApiResult<json::value>> call_once(Call call);
  std::string host_and_port() const;
  std::string head(const Call& call, std::string_view token, std::string_view more) const;

  asio::io_context& io_;
  Cluster cluster_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
};

/// 0 to 1, different in every command.
double luck();

/// `digits` random hexadecimal digits.
std::string random_id(std::size_t digits);

}  // namespace arizuko::agents
