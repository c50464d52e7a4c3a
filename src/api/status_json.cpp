#include "arizuko/api/status_json.hpp"

#include <algorithm>
#include <cmath>

#include <boost/json.hpp>

#include "arizuko/api/json_text.hpp"
#include "arizuko/base/times.hpp"
#include "arizuko/engine/why.hpp"

namespace arizuko::api {

namespace {

namespace json = boost::json;

json::value or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return json_text(text);
}

json::value or_null(const std::optional<std::uint64_t>& number) {
  if (!number) return nullptr;
  return *number;
}

std::string_view kind_text(plan::Kind kind) {
  switch (kind) {
    case plan::Kind::service: return "service";
    case plan::Kind::task: return "task";
  }
  return "?";
}

json::array list(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(json_text(text));
  return array;
}

json::value usage_value(const std::optional<host::GroupUsage>& usage) {
  if (!usage) return nullptr;
  json::value seconds = nullptr;
  if (usage->cpu_microseconds)
    seconds = std::round(static_cast<double>(*usage->cpu_microseconds) / 1e3) / 1e3;
  return {{"memory_bytes", or_null(usage->memory_bytes)},
          {"memory_peak_bytes", or_null(usage->memory_peak_bytes)},
          {"memory_kills", or_null(usage->memory_kills)},
          {"processes", or_null(usage->processes)},
          {"cpu_seconds", std::move(seconds)}};
}

json::object groups_object(const host::GroupFacts& groups) {
  return {{"path", or_null(groups.path)},
          {"controllers", list(groups.controllers)},
          {"why_not", or_null(groups.why_not)}};
}

json::object agents_object(const host::AgentsFacts& facts) {
  const auto time = [](std::int64_t unix_ms) {
    constexpr std::int64_t last_ms = 9'000'000'000'000;  // in 2255: what fits in nanoseconds
    return base::rfc3339(std::min(unix_ms, last_ms) * 1'000'000);
  };
  json::array failing;
  for (const host::FailingAgents& each : facts.failing) {
    failing.push_back({{"group", json_text(each.group)},
                       {"failures", each.failures},
                       {"since", time(each.since_unix_ms)},
                       {"reason", json_text(each.reason)}});
  }
  return {{"backend", or_null(facts.backend)},
          {"since", time(facts.backend_since_unix_ms)},
          {"failing", std::move(failing)}};
}

std::string_view group_of(const host::Instance& instance, std::size_t id) {
  const auto& services = instance.plan().services;
  return id < services.size() ? std::string_view(services[id].group_name) : std::string_view{};
}

/// What only the operator at the control socket sees: process ids, and what is used.
enum class Inside { shown, hidden };

json::object service_object(const host::Instance& instance, std::size_t id, Inside inside) {
  const engine::ServiceView& service = instance.view().services[id];
  json::object object{{"name", json_text(service.name)}, {"kind", kind_text(service.kind)}};
  if (inside == Inside::shown) object["group"] = or_null(group_of(instance, id));
  object["state"] = engine::to_text(service.state);
  if (inside == Inside::shown)
    object["pid"] = service.run.pid ? json::value(*service.run.pid) : json::value(nullptr);
  object["since"] = base::rfc3339(instance.unix_nanoseconds(service.since));
  object["restarts"] = service.runs.restarts;
  object["port"] = service.port != 0 ? json::value(service.port) : json::value(nullptr);
  object["waiting_for"] = list(service.waiting_for);
  object["cause"] = json_text(service.cause);
  if (inside == Inside::shown)
    object["usage"] = usage_value(instance.usage(static_cast<plan::ServiceId>(id)));
  return object;
}

json::array services_array(const host::Instance& instance, Inside inside) {
  json::array array;
  for (std::size_t id = 0; id < instance.view().services.size(); ++id)
    array.push_back(service_object(instance, id, inside));
  return array;
}

std::string_view stream_text(host::Stream stream) {
  return stream == host::Stream::out ? "stdout" : "stderr";
}

std::string line_text(std::uint64_t seq, std::int64_t unix_nanoseconds, std::string_view service,
                      std::string_view stream, std::string_view text) {
  return json::serialize(json::object{{"seq", seq},
                                      {"time", base::rfc3339(unix_nanoseconds)},
                                      {"service", or_null(service)},
                                      {"stream", stream},
                                      {"text", json_text(text)}});
}

}  // namespace

std::string status_json(const host::Instance& instance) {
  const engine::View& view = instance.view();
  json::array held;
  for (const engine::HeldKeyView& each : view.values.held_keys) held.emplace_back(json_text(each.key));
  json::object object{{"instance", json_text(view.instance)},
                      {"state", engine::to_text(view.state)},
                      {"generation", view.values.generation},
                      {"held", std::move(held)},
                      {"control_groups", groups_object(instance.control_groups())}};
  if (const auto facts = instance.agents()) object["agents"] = agents_object(*facts);
  object["services"] = services_array(instance, Inside::shown);
  return json::serialize(object);
}

std::string pod_sentence(const host::Instance& instance) {
  std::string text = engine::why_pod(instance.view(), instance.now());
  const std::optional<host::AgentsFacts> facts = instance.agents();
  if (!facts) return text;
  const std::string agents =
      host::agents_sentence(*facts, instance.unix_nanoseconds(instance.now()) / 1'000'000);
  return agents.empty() ? text : text + ' ' + agents;
}

std::string health_json(const host::Instance& instance) {
  const engine::View& view = instance.view();
  return json::serialize(json::object{{"instance", json_text(view.instance)},
                                      {"state", engine::to_text(view.state)},
                                      {"ready", view.ready},
                                      {"services", services_array(instance, Inside::hidden)}});
}

std::string event_json(const host::HistoryEvent& event) {
  return json::serialize(json::object{{"seq", event.seq},
                                      {"time", base::rfc3339(event.unix_nanoseconds)},
                                      {"service", or_null(event.service)},
                                      {"event", json_text(event.event)},
                                      {"code", or_null(event.code)},
                                      {"from", or_null(event.from)},
                                      {"to", or_null(event.to)},
                                      {"why", or_null(event.why)},
                                      {"cause", json_text(event.cause)}});
}

std::string log_line_json(const host::KeptLine& line) {
  return line_text(line.seq, line.unix_nanoseconds, line.service, stream_text(line.stream), line.text);
}

std::string log_gap_json(std::uint64_t seq, std::int64_t unix_nanoseconds, std::string_view text) {
  return line_text(seq, unix_nanoseconds, "", "gap", text);
}

std::string why_json(std::string_view service, std::string_view sentence) {
  return json::serialize(json::object{{"service", or_null(service)}, {"why", json_text(sentence)}});
}

std::string group_json(std::string_view name, const std::vector<std::string>& services) {
  return json::serialize(json::object{{"group", json_text(name)}, {"services", list(services)}});
}

std::string result_json(const host::CommandResult& result) {
  return json::serialize(json::object{{"accepted", result.accepted}, {"message", json_text(result.message)}});
}

std::string error_json(std::string_view sentence) {
  return json::serialize(json::object{{"error", json_text(sentence)}});
}

}  // namespace arizuko::api
