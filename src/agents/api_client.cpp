#include "api_client.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/json/parse.hpp>
#include <charconv>

#include "attach_channels.hpp"

namespace arizuko::agents {
/// One request and its answer, as far as it has come.
struct ApiClient::Exchange {
  std::string what;  // for messages
  std::string request;
  Clock::time_point deadline;
  std::optional<Seconds> idle;  // in place of the deadline, once the answer has begun
  std::shared_ptr<Connection> connection;
  http::response_parser<http::buffer_body> parser;
  std::string unread;  // received, not parsed yet
};

namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr Milliseconds shortest_attempt{500};
constexpr std::size_t header_limit_bytes = 16 << 10;
constexpr std::size_t answer_limit_bytes = 8 << 20;
constexpr std::size_t error_limit_bytes = 16 << 10;
constexpr std::size_t chunk_bytes = 8192;

std::string_view standard(boost::beast::string_view text) { return {text.data(), text.size()}; }

template <class Message>
std::optional<Milliseconds> retry_after(const Message& answer) {
  const auto text = standard(answer[http::field::retry_after]);
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || text.empty() || end != text.data() + text.size()) return std::nullopt;
  return Seconds{std::min(seconds, 3600u)};
}

std::string call_text(const Call& call) {
  return fmt::format("{} {}", standard(http::to_string(call.method)),
                     call.target.substr(0, call.target.find('?')));
}

ApiError no_answer(std::string_view what, const Cluster& cluster, const ErrorCode& error) {
  const auto why = error == asio::error::timed_out ? std::string{"timed out"} : error.message();
  return {0, "",
          fmt::format("{}: no answer from the API server {}:{}: {}", what, cluster.host, cluster.port, why),
          std::nullopt};
}

/// What a status outside the 200s means: Kubernetes says it in a Status object.
ApiError refusal(std::string_view what, unsigned status, const std::string& body,
                 std::optional<Milliseconds> retry_after) {
  boost::system::error_code error;
  const auto parsed = json::parse(body, error);
  ApiError out{status, error ? "" : text_at(parsed, {"reason"}), "", retry_after};
  auto message = error ? body.substr(0, 200) : text_at(parsed, {"message"});
  out.text =
      fmt::format("{}: the API server says {}{}{}", what, status, message.empty() ? "" : ": ", message);
  if (status == 403)
    out.text += "; does the Role of k8s/components/agents-jobs apply to this service account?";
  if (status == 401) out.text += "; is the service account's token mounted and still valid?";
  return out;
}

}  // namespace

void OpenStream::close() {
  closed_ = true;
  if (connection_) connection_->close();
}

Result<std::unique_ptr<ApiClient>> ApiClient::create(asio::io_context& io, Cluster cluster) {
  auto client = std::unique_ptr<ApiClient>(new ApiClient(io, std::move(cluster)));
  if (auto ready = client->prepare_tls(); !ready) return std::unexpected(ready.error());
  return client;
}

ApiClient::ApiClient(asio::io_context& io, Cluster cluster) : io_(io), cluster_(std::move(cluster)) {}

Result<void> ApiClient::prepare_tls() {
  boost::system::error_code error;
  tls_.set_verify_mode(asio::ssl::verify_peer, error);
  SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(tls_.native_handle(), SSL_MODE_RELEASE_BUFFERS);  // a waiting turn holds two connections
  SSL_CTX_set_session_cache_mode(tls_.native_handle(), SSL_SESS_CACHE_OFF);
  if (cluster_.ca_pem.empty()) return fail("there is no certificate authority to check the API server by");
  tls_.add_certificate_authority(asio::buffer(cluster_.ca_pem), error);
  if (error) return fail(fmt::format("the certificate authority cannot be read: {}", error.message()));
  if (cluster_.client_certificate_pem.empty()) return {};
  tls_.use_certificate_chain(asio::buffer(cluster_.client_certificate_pem), error);
  if (!error) tls_.use_private_key(asio::buffer(cluster_.client_key_pem), asio::ssl::context::pem, error);
  if (error)
    return fail(fmt::format("the client certificate of KUBECONFIG cannot be used: {}", error.message()));
  return {};
}

std::string ApiClient::core_path() const { return "/api/v1/namespaces/" + cluster_.name_space; }

std::string ApiClient::jobs_path() const {
  return fmt::format("/apis/batch/v1/namespaces/{}/jobs", cluster_.name_space);
}

std::string ApiClient::host_and_port() const {
  const bool six = cluster_.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", cluster_.host, six ? "]" : "", cluster_.port);
}

std::string ApiClient::head(const Call& call, std::string_view token, std::string_view more) const {
  auto out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: arizuko-docker\r\n",
                         standard(http::to_string(call.method)), call.target, host_and_port());
  if (!token.empty()) out += fmt::format("Authorization: Bearer {}\r\n", token);
  if (!call.body.empty())
    out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", call.body.size());
  return out.append(more).append("\r\n").append(call.body);
}

/// `what` is for messages.
asio::awaitable<ApiResult<std::shared_ptr<Connection>>> ApiClient::connect(std::string what,
                                                                           Clock::time_point limit) {
  auto connection = std::make_shared<Connection>(io_, tls_);
  ErrorCode error;
  unsigned short port = 0;
  std::from_chars(cluster_.port.data(), cluster_.port.data() + cluster_.port.size(), port);
  Connection::Peer peer{{asio::ip::make_address(cluster_.host, error), port},
                        cluster_.tls_name,
                        cluster_.tls_name != cluster_.host};
  error = co_await connection->open(std::move(peer), limit);
  if (error) co_return std::unexpected(no_answer(what, cluster_, error));
  co_return connection;
}

/// Connected, the request sent, the answer's header read.
asio::awaitable<ApiResult<void>> ApiClient::begin(Exchange& exchange) {
  exchange.parser.header_limit(header_limit_bytes);
  exchange.parser.body_limit(boost::none);
  auto connected = co_await connect(exchange.what, exchange.deadline);
  if (!connected) co_return std::unexpected(connected.error());
  exchange.connection = *connected;
  ErrorCode error = co_await exchange.connection->write(exchange.request, exchange.deadline);
  std::array<char, chunk_bytes> chunk{};
  while (!error && !exchange.parser.is_header_done()) {
    const auto got = co_await exchange.connection->read(chunk, exchange.deadline);
    exchange.unread.append(chunk.data(), got.bytes);
    const auto used = exchange.parser.put(asio::buffer(exchange.unread), error);
    exchange.unread.erase(0, used);
    if (error == http::error::need_more) error = got.error;
  }
  if (error) co_return std::unexpected(no_answer(exchange.what, cluster_, error));
  co_return ApiResult<void>{};
}

asio::awaitable<ApiResult<void>> ApiClient::read_body(Exchange& exchange, const OnBytes& on_bytes) {
  auto& parser = exchange.parser;
  parser.eager(true);
  std::array<char, chunk_bytes> received{}, body{};
  ErrorCode error;
  while (!parser.is_done()) {
    parser.get().body().data = body.data();
    parser.get().body().size = body.size();
    const auto used = parser.put(asio::buffer(exchange.unread), error);
    exchange.unread.erase(0, used);
    const auto parsed = body.size() - parser.get().body().size;
    if (parsed > 0) on_bytes({body.data(), parsed});
    if (error == http::error::need_buffer) continue;
    if (error && error != http::error::need_more) break;
    if (parser.is_done()) break;
    const auto limit = exchange.idle ? Clock::now() + *exchange.idle : exchange.deadline;
    const auto got = co_await exchange.connection->read(received, limit);
    exchange.unread.append(received.data(), got.bytes);
    if (got.error == asio::error::eof && parser.need_eof()) {
      parser.put_eof(error);
      break;
    }
    error = got.error;
    if (error) break;
  }
  exchange.connection->close();
  if (error && !parser.is_done()) co_return std::unexpected(no_answer(exchange.what, cluster_, error));
  co_return ApiResult<void>{};
}

asio::awaitable<ApiResult<void>> ApiClient::exchange(Call call, const OnBytes& on_bytes, Seconds idle,
                                                     OpenStream* handle) {
  const auto token = current_token(cluster_);
  if (!token) co_return std::unexpected(ApiError{0, "", token.error().text, std::nullopt});
  Exchange exchange;
  exchange.what = call_text(call);
  exchange.deadline = Clock::now() + call.limit;
  exchange.request = head(call, *token, "Accept: application/json\r\nConnection: close\r\n");
  auto begun = co_await begin(exchange);
  if (!begun) co_return std::unexpected(begun.error());
  const unsigned status = exchange.parser.get().result_int();
  if (status >= 200 && status < 300) {
    if (handle != nullptr) {
      if (handle->closed_) co_return ApiResult<void>{};
      handle->connection_ = exchange.connection;
      exchange.idle = idle;
    }
    auto read = co_await read_body(exchange, on_bytes);
    co_return read;
  }
  auto refused = co_await read_refusal(exchange);
  co_return std::unexpected(refused);
}

/// Why the answer is not of the 200s.
asio::awaitable<ApiError> ApiClient::read_refusal(Exchange& exchange) {
  std::string body;
  const OnBytes keep = [&body](std::string_view bytes) {
    if (body.size() < error_limit_bytes) body += bytes;
  };
  (void)co_await read_body(exchange, keep);  // the status alone says enough
  const auto& answer = exchange.parser.get();
  co_return refusal(exchange.what, answer.result_int(), body, retry_after(answer));
}

asio::awaitable<ApiResult<json::value>> ApiClient::call_once(Call call) {
  const auto what = call_text(call);
  std::string body;
  const OnBytes keep = [&body](std::string_view bytes) {
    if (body.size() <= answer_limit_bytes) body += bytes;
  };
  auto answered = co_await exchange(std::move(call), keep, Seconds{0}, nullptr);
  if (!answered) co_return std::unexpected(answered.error());
  if (body.size() > answer_limit_bytes) {
    co_return std::unexpected(
        ApiError{413, "", fmt::format("{}: the answer is larger than {} bytes", what, answer_limit_bytes),
                 std::nullopt});
  }
  boost::system::error_code error;
  auto parsed = json::parse(body, error);
  if (error) co_return std::unexpected(ApiError{0, "", what + ": the answer is not JSON", std::nullopt});
  co_return parsed;
}

asio::awaitable<ApiResult<json::value>> ApiClient::call(Call call, Milliseconds budget) {
  const auto begin = Clock::now();
  const auto since = [begin] { return std::chrono::duration_cast<Milliseconds>(Clock::now() - begin); };
  const auto longest = call.limit;
  for (unsigned number = 1;; ++number) {
    if (budget > Milliseconds{0})
      call.limit = std::clamp(budget - since(), std::min(shortest_attempt, longest), longest);
    auto answer = co_await call_once(call);
    if (answer) co_return answer;
    const auto elapsed = since();
    const Attempt attempt{answer.error().status, answer.error().retry_after, number, elapsed, luck()};
    const auto time = pause_before_retry(attempt, budget);
    if (!time) co_return answer;
    co_await pause(*time);
  }
}

asio::awaitable<ApiResult<void>> ApiClient::stream(Call call, OnBytes on_bytes, Seconds idle,
                                                   OpenStream& handle) {
  auto ended = co_await exchange(std::move(call), on_bytes, idle, &handle);
  handle.connection_.reset();
  co_return ended;
}

asio::awaitable<ApiResult<ApiClient::Channels>> ApiClient::open_channels(std::string target) {
  const auto token = current_token(cluster_);
  if (!token) co_return std::unexpected(ApiError{0, "", token.error().text, std::nullopt});
  const Call call{http::verb::get, std::move(target), ""};
  const auto what = call_text(call);
  const auto deadline = Clock::now() + call.limit;
  auto connection = co_await connect(what, deadline);
  if (!connection) co_return std::unexpected(connection.error());
  auto socket = std::make_shared<WebSocket>(io_, *connection);
  WebSocket::Request request{host_and_port(), call.target, token->empty() ? "" : "Bearer " + *token,
                             fmt::format("{}, {}", protocol_v5, protocol_v4)};
  const auto answer = co_await socket->open(std::move(request), deadline);
  const auto& response = answer.response;
  if (answer.outcome == WebSocket::Outcome::no_answer)
    co_return std::unexpected(no_answer(what, cluster_, answer.error));
  if (answer.outcome == WebSocket::Outcome::refused)
    co_return std::unexpected(refusal(what, response.result_int(), response.body(), retry_after(response)));
  const auto protocol = standard(response[http::field::sec_websocket_protocol]);
  if (answer.outcome == WebSocket::Outcome::no_protocol ||
      (protocol != protocol_v5 && protocol != protocol_v4)) {
    co_return std::unexpected(
        ApiError{501,
                 "",
                 fmt::format("{}: the API server speaks neither {} nor {}", what, protocol_v5, protocol_v4),
                 {}});
  }
  co_return Channels{std::move(socket), protocol == protocol_v5};
}

asio::awaitable<void> ApiClient::pause(Milliseconds time) {
  asio::steady_timer timer(io_, time);
  auto [error] = co_await timer.async_wait(as_pair);
  (void)error;  // nobody cancels it
}

double luck() {
  std::uint32_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) return 0.5;
  return static_cast<double>(bits) / 4294967295.0;
}

std::string random_id(std::size_t digits) {
  std::string out;
  std::array<unsigned char, 16> raw{};
  while (out.size() < digits && ::getrandom(raw.data(), raw.size(), 0) > 0) {
    for (const unsigned char byte : raw) out += fmt::format("{:02x}", byte);
  }
  out.resize(digits, '0');
  return out;
}

}  // namespace arizuko::agents
