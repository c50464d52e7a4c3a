#include "router.hpp"

#include "json.hpp"

#include <fmt/format.h>

#include <unistd.h>
#include <algorithm>
#include <ctime>

namespace rehearsal {
namespace {

constexpr std::size_t outbound_kept = 100;
constexpr auto between_tries = std::chrono::milliseconds(500);

}  // namespace

asio::awaitable<std::expected<void, std::string>> RouterClient::register_once() {
  auto bearer = co_await access_.credentials.bearer();
  if (!bearer) co_return std::unexpected(bearer.error());
  Call call;
  call.url = access_.router_url + "/v1/channels/register";
  call.bearer = *bearer;
  call.body = json::serialize(json::object{{"name", json_text(access_.name)},
                                           {"url", json_text(access_.url)},
                                           {"jid_prefixes", array_of(access_.prefixes)},
                                           {"capabilities", json::array{"send"}}});
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  const auto body = parse_object(reply->body());
  if (reply->result_int() != 200 || !body) {
    co_return std::unexpected(fmt::format("register: status {}: {}", reply->result_int(), reply->body()));
  }
  token_ = text_at(*body, "token");
  co_return std::expected<void, std::string>{};
}

asio::awaitable<void> RouterClient::register_until_done() {
  auto wait = std::chrono::seconds(2);
  for (;;) {
    auto done = co_await register_once();
    if (done) co_return;
    daemon_.log().warn("register failed, retrying", {{"err", done.error()}, {"retry_s", wait.count()}});
    co_await daemon_.sleep(wait);
    wait = std::min(wait * 2, std::chrono::seconds(30));
  }
}

asio::awaitable<void> RouterClient::heartbeat() {
  const std::chrono::milliseconds every(
      std::max<std::int64_t>(1, Environment::int_or("REHEARSAL_HEARTBEAT_MS", 180'000)));
  for (;;) {
    co_await daemon_.sleep(every);
    auto done = co_await register_once();
    if (!done) daemon_.log().warn("heartbeat failed", {{"err", done.error()}});
  }
}

asio::awaitable<std::expected<unsigned, std::string>> RouterClient::post(std::string path, std::string body,
                                                                         std::string bearer) {
  Call call;
  call.url = access_.router_url + path;
  call.body = std::move(body);
  call.bearer = std::move(bearer);
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  co_return reply->result_int();
}

asio::awaitable<std::expected<void, std::string>> RouterClient::hand_in(std::string message) {
  std::string why;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt != 0) co_await daemon_.sleep(between_tries);
    auto status = co_await post("/v1/messages", message, token_);
    if (status && *status == 401 && rule_ == OnUnauthorized::RegisterAgain) {
      auto again = co_await register_once();
      if (again) daemon_.log().info("registered again");
      if (again) status = co_await post("/v1/messages", message, token_);
    }
    if (status && *status == 200) co_return std::expected<void, std::string>{};
    why = status ? fmt::format("status {}", *status) : status.error();
    if (status && *status < 500) break;  // it was refused: another try changes nothing
  }
  daemon_.log().error("deliver failed", {{"err", why}});
  co_return std::unexpected(why);
}

asio::awaitable<void> RouterClient::deregister() {
  auto status = co_await post("/v1/channels/deregister", "{}", token_);
  if (!status) daemon_.log().warn("deregister failed", {{"err", status.error()}});
}

std::expected<std::string, std::string> RouterClient::make_message(std::string_view body,
                                                                   std::string_view own_prefix) {
  const auto given = parse_object(body);
  if (!given) return std::unexpected(R"(want JSON: {"text":...,"sender":...,"jid":...})");
  const auto or_default = [&](std::string_view key, std::string otherwise) {
    auto value = text_at(*given, key);
    return value.empty() ? std::move(otherwise) : std::move(value);
  };
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto id = fmt::format("rehearsal-{}-{}.{:09}-{}", ::getpid(), now.tv_sec, now.tv_nsec, ++made_);
  return json::serialize(
      json::object{{"id", json_text(or_default("id", id))},
                   {"chat_jid", json_text(or_default("jid", fmt::format("{}rehearsal", own_prefix)))},
                   {"sender", json_text(or_default("sender", "somebody"))},
                   {"content", json_text(text_at(*given, "text"))},
                   {"timestamp", json_text(fmt::format("{}", now.tv_sec))}});
}

asio::awaitable<std::optional<Response>> RouterClient::answer(const Request& request) {
  const auto path = path_of(request);
  if (path == "/v1/rehearsal/outbound") {
    json::array list;
    for (const auto& sent : outbound_) list.push_back(parse_object(sent).value_or(json::object{}));
    co_return json_reply(200, json::serialize(json::object{{"sent", list}}));
  }
  if (path != "/send" || request.method() != http::verb::post) co_return std::nullopt;
  const bool accepted = co_await access_.credentials.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  if (!parse_object(request.body())) co_return error_reply(400, "invalid json");
  outbound_.push_back(request.body());
  if (outbound_.size() > outbound_kept) outbound_.pop_front();
  co_return json_reply(200, R"({"ok":true})");
}

}  // namespace rehearsal
