#include "settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <charconv>

#include "json.hpp"

namespace arizuko::agents {
namespace {

constexpr std::size_t most_policy_bytes = 64 << 10;
constexpr Seconds timer_slack{30};  // gated's hard limit: max(CONTAINER_TIMEOUT, IDLE_TIMEOUT + 30 s)

std::string text(const Environment& environment, std::string_view name) {
  return environment(name).value_or("");
}

/// As gated reads a duration: whole milliseconds, anything else is the default.
Seconds milliseconds(const Environment& environment, std::string_view name, Seconds standard) {
  const auto written = text(environment, name);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), count);
  if (error != std::errc{} || end != written.data() + written.size() || count <= 0) return standard;
  return std::chrono::ceil<Seconds>(std::chrono::milliseconds{std::min<std::int64_t>(count, 604'800'000)});
}

/// "20m", "1h30m", "1.5h", as Go's time.ParseDuration reads it; anything else is none. At most a week.
Seconds go_duration(std::string_view written) {
  constexpr double most_seconds = 604'800;
  constexpr std::array<std::pair<std::string_view, double>, 7> units = {
      {{"h", 3600}, {"ms", 1e-3}, {"m", 60}, {"s", 1}, {"us", 1e-6}, {"\u00b5s", 1e-6}, {"ns", 1e-9}}};
  double seconds = 0;
  while (!written.empty()) {
    double count = 0;
    const auto [end, error] =
        std::from_chars(written.data(), written.data() + written.size(), count, std::chars_format::fixed);
    if (error != std::errc{} || !(count >= 0)) return Seconds{0};
    written.remove_prefix(static_cast<std::size_t>(end - written.data()));
    const auto unit =
        std::ranges::find_if(units, [&](const auto& each) { return written.starts_with(each.first); });
    if (unit == units.end()) return Seconds{0};
    written.remove_prefix(unit->first.size());
    seconds = std::min(seconds + count * unit->second, most_seconds);
  }
  return std::chrono::ceil<Seconds>(std::chrono::duration<double>(seconds));
}

std::vector<std::string> texts(const json::value& root, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* list = list_at(root, {name})) {
    for (const json::value& each : *list) out.push_back(text_at(each, {}));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> pairs(const json::value& root, std::string_view name) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto* found = value_at(root, {name});
  const auto* table = found == nullptr ? nullptr : found->if_object();
  if (table == nullptr) return out;
  for (const auto& entry : *table) {
    out.emplace_back(std::string{entry.key().data(), entry.key().size()}, text_at(entry.value(), {}));
  }
  return out;
}

/// arizuko-init has checked the values; what may be wrong here is the transport.
Result<AgentPolicy> read_policy(const std::string& written) {
  AgentPolicy policy;
  if (written.empty()) return policy;
  boost::system::error_code error;
  json::value root;
  if (written.size() <= most_policy_bytes) root = json::parse(written, error);
  if (error || !root.is_object()) {
    return fail(
        fmt::format("ARIZUKO_AGENTS is not a JSON object of at most {} bytes; in the plan, where "
                    "the service that calls docker is, write env.ARIZUKO_AGENTS = \"${{agents.settings}}\"",
                    most_policy_bytes));
  }
  policy.image_pull_secrets = texts(root, "image_pull_secrets");
  policy.service_account = text_at(root, {"service_account"});
  policy.runtime_class = text_at(root, {"runtime_class"});
  policy.tolerations = texts(root, "tolerations");
  policy.requests = pairs(root, "requests");
  policy.limits = pairs(root, "limits");
  policy.secrets = texts(root, "secrets");
  policy.config_maps = texts(root, "config_maps");
  policy.schedule_within =
      Seconds{number_at(root, {"schedule_within_seconds"}, policy.schedule_within.count())};
  policy.pull_within = Seconds{number_at(root, {"pull_within_seconds"}, policy.pull_within.count())};
  return policy;
}

std::string without_last_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<Backend> choose_backend(const Environment& environment, bool has_service_account) {
  const auto word = text(environment, "CONTAINER_BACKEND");
  if (word == "docker") return Backend::docker;
  if (word == "kubernetes") return Backend::kubernetes;
  if (word == "none") return Backend::none;
  if (!word.empty()) {
    return fail(fmt::format("CONTAINER_BACKEND is '{}'; write docker, kubernetes or none", word));
  }
  const bool in_pod = has_service_account && !text(environment, "KUBERNETES_SERVICE_HOST").empty();
  const bool has_engine = !text(environment, "DOCKER_HOST").empty();
  return in_pod && !has_engine ? Backend::kubernetes : Backend::docker;
}

Result<Settings> read_settings(const Environment& environment) {
  Settings settings;
  if (auto name = text(environment, "ARIZUKO_INSTANCE"); !name.empty()) settings.instance = std::move(name);
  settings.data_dir = without_last_slash(text(environment, "DATA_DIR"));
  settings.host_data_dir = without_last_slash(text(environment, "HOST_DATA_DIR"));
  if (settings.host_data_dir.empty()) settings.host_data_dir = settings.data_dir;  // as gated and runed do
  settings.host_app_dir = without_last_slash(text(environment, "HOST_APP_DIR"));
  const auto hour = Seconds{3600};
  settings.longest_turn = std::max({milliseconds(environment, "CONTAINER_TIMEOUT", hour),
                                    milliseconds(environment, "IDLE_TIMEOUT", hour) + timer_slack,
                                    go_duration(text(environment, "RUNED_RUN_TIMEOUT")) + timer_slack});
  auto policy = read_policy(text(environment, "ARIZUKO_AGENTS"));
  if (!policy) return std::unexpected(policy.error());
  settings.policy = std::move(*policy);
  return settings;
}

}  // namespace arizuko::agents
