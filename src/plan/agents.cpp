// [agents]: names, amounts and taints as Kubernetes writes them, checked before any turn needs them.
#include <fmt/format.h>

#include <algorithm>

#include "arizuko/base/bytes.hpp"
#include "draft.hpp"
#include "json.hpp"

namespace arizuko::plan {
namespace {

constexpr std::size_t most_name_bytes = 253;  // a DNS subdomain: RFC 1123
constexpr Duration shortest_wait{1'000};

using base::is_alphanumeric;

bool is_lower_or_digit(char c) { return base::is_lower(c) || base::is_digit(c); }

/// A name of an object.
Parsed<std::string> parse_object_name(std::string_view text) {
  const auto fits = [](char c) { return is_lower_or_digit(c) || c == '-' || c == '.'; };
  if (text.empty() || text.size() > most_name_bytes || !std::ranges::all_of(text, fits) ||
      !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) {
    return std::unexpected(Wrong{"is not a name of Kubernetes",
                                 "write a-z, 0-9, - and ., and begin and end with a letter or a digit"});
  }
  return std::string{text};
}

/// KEY[=VALUE][:EFFECT], as `kubectl taint` writes it.
Parsed<std::string> parse_toleration(std::string_view text) {
  const auto wrong = std::unexpected(Wrong{
      "is not a toleration", "write KEY, KEY=VALUE or either with :NoSchedule or :NoExecute behind it"});
  auto taint = text;
  if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    const auto effect = text.substr(colon + 1);
    if (effect != "NoSchedule" && effect != "PreferNoSchedule" && effect != "NoExecute") return wrong;
    taint = text.substr(0, colon);
  }
  const auto fits = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '/'; };
  const auto equals = taint.find('=');
  const auto key = taint.substr(0, equals);
  const auto value = equals == std::string_view::npos ? "" : taint.substr(equals + 1);
  if (key.empty() || key.size() > most_name_bytes || value.size() > 63 || !std::ranges::all_of(key, fits) ||
      !std::ranges::all_of(value, fits)) {
    return wrong;
  }
  return std::string{text};
}

/// 500m, 2, 1.5, 512Mi, 2Gi.
Parsed<std::string> parse_quantity(std::string_view text) {
  constexpr auto units = std::to_array<std::string_view>(
      {"", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"});
  const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto digits = text.substr(0, end);
  const bool number = !digits.empty() && digits.front() != '.' && digits.back() != '.' &&
                      digits.size() <= 18 && std::ranges::count(digits, '.') <= 1;
  if (!number || std::ranges::find(units, text.substr(end)) == units.end()) {
    return std::unexpected(
        Wrong{"is not an amount", "write a number and a unit, as in 500m, 2, 512Mi or 2Gi"});
  }
  return std::string{text};
}

Parsed<std::string> parse_resource(std::string_view text) {
  const auto fits = [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '/'; };
  if (text.empty() || text.size() > most_name_bytes || !std::ranges::all_of(text, fits)) {
    return std::unexpected(Wrong{"is not a resource", "write cpu, memory or ephemeral-storage"});
  }
  return std::string{text};
}

std::vector<std::pair<std::string, std::string>> amounts(const Reader& reader, std::string_view name) {
  std::vector<std::pair<std::string, std::string>> out;
  const Node* table = reader.find(name);
  const auto key = reader.key_of(name);
  if (table == nullptr || !reader.is(*table, Node::Kind::table, key, "a table: { memory = \"2Gi\" }"))
    return out;
  for (const Entry& entry : table->entries) {
    if (const auto resource = parse_resource(entry.name); !resource) {
      reader.wrong(entry.where, key + "." + entry.name, entry.name, resource.error());
      continue;
    }
    std::string amount;
    if (reader.parse_node(entry.value, key + "." + entry.name, parse_quantity, amount))
      out.emplace_back(entry.name, std::move(amount));
  }
  return out;
}

std::string list(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + base::json_string(text);
  return "[" + out + "]";
}

std::string table(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, amount] : pairs)
    out += (out.empty() ? "" : ",") + base::json_string(name) + ":" + base::json_string(amount);
  return "{" + out + "}";
}

}  // namespace

std::string settings_text(const AgentPolicy& agents) {
  const auto seconds = [](Duration time) { return std::chrono::ceil<std::chrono::seconds>(time).count(); };
  return fmt::format(
      R"({{"image_pull_secrets":{},"service_account":{},"runtime_class":{},"tolerations":{},"requests":{},)"
      R"("limits":{},"secrets":{},"config_maps":{},"schedule_within_seconds":{},"pull_within_seconds":{}}})",
      list(agents.image_pull_secrets), base::json_string(agents.service_account),
      base::json_string(agents.runtime_class), list(agents.tolerations), table(agents.requests),
      table(agents.limits), list(agents.secrets), list(agents.config_maps), seconds(agents.schedule_within),
      seconds(agents.pull_within));
}

AgentPolicy read_agents(const Node& root, Scope& scope, Problems& problems) {
  const Entry* entry = root.find("agents");
  const Node* node = entry == nullptr ? nullptr : &entry->value;
  const Reader reader{node, "agents", scope, Variables::allowed, problems};
  AgentPolicy agents;
  agents.image_pull_secrets = reader.parsed_list("image_pull_secrets", parse_object_name);
  reader.value("service_account", parse_object_name, agents.service_account);
  reader.value("runtime_class", parse_object_name, agents.runtime_class);
  agents.tolerations = reader.parsed_list("tolerations", parse_toleration);
  agents.requests = amounts(reader, "requests");
  agents.limits = amounts(reader, "limits");
  agents.secrets = reader.parsed_list("secrets", parse_object_name);
  agents.config_maps = reader.parsed_list("config_maps", parse_object_name);
  reader.duration("schedule_within", agents.schedule_within, shortest_wait);
  reader.duration("pull_within", agents.pull_within, shortest_wait);
  scope.agents_settings = entry == nullptr ? "" : settings_text(agents);
  return agents;
}

}  // namespace arizuko::plan
