#include "credentials.hpp"

#include "config.hpp"
#include "json.hpp"
#include "tokens.hpp"

#include <fmt/format.h>

#include <ctime>

namespace rehearsal {
namespace {

constexpr auto renewed_before_its_end = std::chrono::minutes(1);

}  // namespace

Credentials Credentials::shared_secret(std::string secret) {
  Credentials made;
  made.secret_ = std::move(secret);
  return made;
}

std::expected<Credentials, std::string> Credentials::of_service(std::string principal) {
  Credentials made;
  made.authd_url_ = Environment::text_or("AUTHD_URL", "");
  made.key_ = Environment::text_or("AUTHD_SERVICE_KEY", "");
  made.principal_ = std::move(principal);
  if (made.authd_url_.empty()) return std::unexpected("AUTHD_URL");
  if (made.key_.empty()) return std::unexpected("AUTHD_SERVICE_KEY");
  return made;
}

std::expected<Credentials, std::string> Credentials::of_line(Line line, std::string_view daemon,
                                                             std::string secret) {
  if (line == Line::Today) return of_service(fmt::format("service:{}", daemon));
  return shared_secret(std::move(secret));
}

asio::awaitable<std::expected<std::string, std::string>> Credentials::bearer() {
  if (authd_url_.empty()) co_return secret_;
  if (!token_.empty() && std::chrono::steady_clock::now() < renew_at_) co_return token_;
  auto fresh = co_await exchange();
  if (!fresh) co_return std::unexpected(fresh.error());
  token_ = *fresh;
  renew_at_ = std::chrono::steady_clock::now() + token_lifetime - renewed_before_its_end;
  co_return token_;
}

asio::awaitable<std::expected<std::string, std::string>> Credentials::exchange() {
  Call call;
  call.url = authd_url_ + "/v1/service/token";
  call.body = json::serialize(json::object{{"principal", json_text(principal_)}, {"key", json_text(key_)}});
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(fmt::format("service token: {}", reply.error()));
  const auto body = parse_object(reply->body());
  if (reply->result_int() != 200 || !body)
    co_return std::unexpected(
        fmt::format("service token: authd answers {} to {}", reply->result_int(), principal_));
  co_return text_at(*body, "token");
}

asio::awaitable<std::expected<std::string, std::string>> Credentials::fetch_keys() {
  Call call;
  call.method = http::verb::get;
  call.url = authd_url_ + "/v1/keys";
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  co_return text_at(parse_object(reply->body()).value_or(json::object{}), "key");
}

asio::awaitable<bool> Credentials::accepts(std::string shown) {
  if (authd_url_.empty()) co_return secret_.empty() || shown == secret_;
  if (shown.empty()) co_return false;
  if (signing_key_.empty()) {
    auto keys = co_await fetch_keys();
    if (!keys) co_return false;
    signing_key_ = *keys;
  }
  co_return principal_of(shown, signing_key_, std::time(nullptr)).has_value();
}

}  // namespace rehearsal
