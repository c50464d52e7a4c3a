#include "runs.hpp"

#include "config.hpp"
#include "json.hpp"

#include <fmt/format.h>

#include <optional>

namespace rehearsal {
namespace {

constexpr auto dispatch_outlasts_the_run = std::chrono::minutes(2);

asio::awaitable<std::expected<json::object, std::string>> ask(Credentials& credentials, Call call) {
  auto bearer = co_await credentials.bearer();
  if (!bearer) co_return std::unexpected(bearer.error());
  call.bearer = *bearer;
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  auto body = parse_object(reply->body());
  if (reply->result_int() >= 300 || !body)
    co_return std::unexpected(fmt::format("runed: status {}: {}", reply->result_int(), reply->body()));
  co_return std::move(*body);
}

// What a look at a run says: how it ended, or nothing yet.
std::optional<std::expected<std::string, std::string>> ended(const json::object& run) {
  const auto state = text_at(run, "state");
  if (state == "done") return std::string();
  if (state == "failed") return std::unexpected(text_at(run, "error"));
  return std::nullopt;
}

}  // namespace

std::chrono::milliseconds run_timeout() {
  return parse_go_duration(Environment::text_or("RUNED_RUN_TIMEOUT", "20m"))
      .value_or(std::chrono::minutes(20));
}

asio::awaitable<std::expected<std::string, std::string>> dispatch(Daemon& daemon, Credentials& credentials,
                                                                  std::string runed_url, std::string folder,
                                                                  std::string request) {
  const auto deadline = std::chrono::steady_clock::now() + run_timeout() + dispatch_outlasts_the_run;
  Call post;
  post.url = runed_url + "/v1/runs";
  post.body = json::serialize(json::object{{"folder", json_text(folder)}, {"request", json_text(request)}});
  auto begun = co_await ask(credentials, std::move(post));
  if (!begun) co_return std::unexpected(begun.error());
  const auto url = fmt::format("{}/v1/runs/{}", runed_url, text_at(*begun, "id"));
  while (std::chrono::steady_clock::now() < deadline) {
    co_await daemon.sleep(asks_every);
    Call look;
    look.method = http::verb::get;
    look.url = url;
    auto run = co_await ask(credentials, std::move(look));
    if (!run) co_return std::unexpected(run.error());
    if (auto end = ended(*run)) co_return *end;
  }
  co_return std::unexpected("runed: dispatch deadline exceeded");
}

}  // namespace rehearsal
