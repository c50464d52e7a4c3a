#include "arizuko/host/state/agents_facts.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "arizuko/engine/why.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {

namespace {

namespace json = boost::json;

constexpr std::size_t most_bytes = 128 << 10;
constexpr std::size_t most_groups = 64;
constexpr std::size_t most_text_bytes = 300;
constexpr std::uint64_t most_failures = 1'000'000;

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  std::string out;
  for (const char c : std::string_view(value->get_string().data(), value->get_string().size())) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte >= 0x7F ? ' ' : c;
    if (out.size() == most_text_bytes) break;
  }
  return out;
}

/// 0 of what is no number, or a negative one.
std::int64_t number_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_number()) return 0;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? 0 : std::max<std::int64_t>(number, 0);
}

FailingAgents group_of(const json::object& object) {
  return {text_of(object, "group"),
          std::min(static_cast<std::uint64_t>(number_of(object, "failures")), most_failures),
          number_of(object, "since"), number_of(object, "last"), text_of(object, "reason")};
}

std::string ago(std::int64_t then_unix_ms, std::int64_t now_unix_ms) {
  // What stands in the file may be any number.
  const std::int64_t gone = then_unix_ms >= now_unix_ms ? 0 : now_unix_ms - then_unix_ms;
  constexpr std::int64_t year_ms = 366LL * 24 * 3600 * 1000;
  if (gone > year_ms) return "more than a year";
  return engine::duration_text(std::chrono::milliseconds(gone));
}

}  // namespace

AgentsFacts parse_agents_facts(std::string_view text) {
  AgentsFacts facts;
  if (text.size() > most_bytes) return facts;
  json::error_code error;
  const json::value root = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !root.is_object()) return facts;
  const json::object& object = root.get_object();
  const std::string backend = text_of(object, "backend");
  if (backend == "none" || backend == "docker" || backend == "kubernetes") facts.backend = backend;
  facts.backend_since_unix_ms = number_of(object, "backend_since");
  const auto* groups = object.if_contains("groups");
  if (groups == nullptr || !groups->is_array()) return facts;
  for (const json::value& each : groups->get_array()) {
    if (!each.is_object() || facts.failing.size() == most_groups) continue;
    FailingAgents group = group_of(each.get_object());
    const bool known =
        std::ranges::find(facts.failing, group.group, &FailingAgents::group) != facts.failing.end();
    if (!group.group.empty() && group.failures >= failures_until_said && !known)
      facts.failing.push_back(std::move(group));
  }
  std::ranges::sort(facts.failing, {},
                    [](const FailingAgents& each) { return std::tie(each.since_unix_ms, each.group); });
  return facts;
}

std::optional<AgentsFacts> read_agents_facts(const std::string& data_dir) {
  // Neither a FIFO nor a link of a daemon's may hold or lead us.
  const auto text =
      posix::read_file(data_dir + "/.arizuko-init/agents.json", most_bytes, posix::Links::refused);
  if (!text && text.error().error == EFBIG) return AgentsFacts{};  // no ledger of ours
  if (!text || text->empty()) return std::nullopt;
  return parse_agents_facts(*text);
}

std::string agents_sentence(const AgentsFacts& facts, std::int64_t now_unix_ms) {
  if (facts.off()) {
    return fmt::format(
        "Agents are off for {}: CONTAINER_BACKEND is none, and every message that wants one is answered by "
        "a failure.",
        ago(facts.backend_since_unix_ms, now_unix_ms));
  }
  if (facts.failing.empty()) return {};
  const FailingAgents& first = facts.failing.front();
  std::string text = fmt::format("Agents of group {} have failed {} times in a row for {}: {}", first.group,
                                 first.failures, ago(first.since_unix_ms, now_unix_ms), first.reason);
  if (!text.ends_with('.')) text += '.';
  if (facts.failing.size() > 1)
    text += fmt::format(" So do those of {} other group{}.", facts.failing.size() - 1,
                        facts.failing.size() == 2 ? "" : "s");
  return text;
}

}  // namespace arizuko::host
