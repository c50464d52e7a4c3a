#include "channels.hpp"

#include "json.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace rehearsal {
namespace {

constexpr int checks_until_deregistered = 3;

}  // namespace

std::string random_hex(std::size_t bytes) {
  std::array<std::uint8_t, 32> raw{};
  if (::getrandom(raw.data(), raw.size(), 0) < 0) return "rehearsal";
  std::string text;
  for (std::size_t at = 0; at < std::min(bytes, raw.size()); ++at) text += fmt::format("{:02x}", raw[at]);
  return text;
}

asio::awaitable<std::optional<Response>> Channels::answer(const Request& request, const Tcp::endpoint& peer) {
  const auto path = path_of(request);
  const bool post = request.method() == http::verb::post;
  if (path == "/v1/channels/deregister" && post) co_return deregister_channel(request);
  const bool registers = path == "/v1/channels/register" && post;
  if (!registers && (path != "/v1/channels" || post)) co_return std::nullopt;
  const bool accepted = co_await credentials_.accepts(std::string(bearer_of(request)));
  if (!accepted) co_return error_reply(401, "unauthorized");
  co_return registers ? register_channel(request, peer) : list();
}

Response Channels::register_channel(const Request& request, const Tcp::endpoint& peer) {
  const auto body = parse_object(request.body());
  if (!body) return error_reply(400, "invalid json");
  Channel channel;
  channel.name = text_at(*body, "name");
  channel.url = text_at(*body, "url");
  channel.prefixes = texts_at(*body, "jid_prefixes");
  channel.capabilities = texts_at(*body, "capabilities");
  channel.source_ip = peer.address().to_string();
  channel.token = random_hex(16);
  if (channel.name.empty() || channel.prefixes.empty())
    return error_reply(400, "name and jid_prefixes required");
  if (!parse_url(channel.url)) return error_reply(400, "bad url");
  const auto reply = json::serialize(json::object{{"ok", true}, {"token", json_text(channel.token)}});
  const auto name = channel.name, url = channel.url;
  if (auto put = registry_.put(std::move(channel)); !put) return error_reply(409, put.error());
  daemon_.log().info("channel registered", {{"name", name}, {"url", url}});
  return json_reply(200, reply);
}

Response Channels::deregister_channel(const Request& request) {
  const auto* channel = sender_of(request);
  if (channel == nullptr) return error_reply(401, "unauthorized");
  const auto name = channel->name;
  registry_.remove(name);
  daemon_.log().info("channel deregistered", {{"name", name}});
  return json_reply(200, R"({"ok":true})");
}

Response Channels::list() const {
  json::array list;
  for (const auto& [name, channel] : registry_.all()) {
    list.push_back(json::object{{"name", json_text(name)},
                                {"url", json_text(channel.url)},
                                {"jid_prefixes", array_of(channel.prefixes)},
                                {"capabilities", array_of(channel.capabilities)}});
  }
  return json_reply(200, json::serialize(json::object{{"ok", true}, {"channels", list}}));
}

asio::awaitable<std::expected<void, std::string>> Channels::send(std::string jid, std::string preferred,
                                                                 std::string text) {
  const auto* channel = registry_.by_jid(jid, preferred);
  if (channel == nullptr) co_return std::unexpected(fmt::format("no channel for jid {}", jid));
  Call call;
  call.url = channel->url + "/send";
  auto bearer = co_await credentials_.bearer();
  if (!bearer) co_return std::unexpected(bearer.error());
  call.bearer = *bearer;
  call.body = json::serialize(json::object{{"chat_jid", json_text(jid)}, {"content", json_text(text)}});
  auto reply = co_await http_call(std::move(call));
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->result_int() != 200)
    co_return std::unexpected(fmt::format("send: status {}", reply->result_int()));
  co_return std::expected<void, std::string>{};
}

asio::awaitable<void> Channels::look_at_health() {
  const std::chrono::milliseconds every(
      std::max<std::int64_t>(1, Environment::int_or("REHEARSAL_HEALTH_MS", 30'000)));
  for (;;) {
    co_await daemon_.sleep(every);
    std::vector<std::pair<std::string, std::string>> asked;
    for (const auto& [name, channel] : registry_.all()) asked.emplace_back(name, channel.url);
    for (const auto& [name, url] : asked) co_await look_at(name, url);
  }
}

asio::awaitable<void> Channels::look_at(std::string name, std::string url) {
  Call call;
  call.method = http::verb::get;
  call.url = url + "/health";
  auto reply = co_await http_call(std::move(call));
  auto* channel = registry_.by_name(name);
  if (channel == nullptr || channel->url != url) co_return;
  const bool fine =
      reply && (reply->result_int() == 200 ||
                text_at(parse_object(reply->body()).value_or(json::object{}), "status") == "stale");
  channel->failed_checks = fine ? 0 : channel->failed_checks + 1;
  if (fine) co_return;
  daemon_.log().warn(
      "channel health failed",
      {{"channel", name},
       {"fails", channel->failed_checks},
       {"err", reply ? fmt::format("health: status {}", reply->result_int()) : reply.error()}});
  if (channel->failed_checks < checks_until_deregistered) co_return;
  daemon_.log().error("channel auto-deregistered", {{"channel", name}, {"fails", channel->failed_checks}});
  registry_.remove(name);
}

}  // namespace rehearsal
