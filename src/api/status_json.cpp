#include "arizuko/api/status_json.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"

namespace arizuko::api {

namespace {

// The length of the valid UTF-8 sequence at the front of `text`; 0 when there is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || text.size() < length) return 0;
  if (at(1) < low || at(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (at(i) < 0x80 || at(i) > 0xBF) return 0;
  }
  return length;
}

void append_ascii(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out += c;
  }
}

std::string or_null(std::string_view text) { return text.empty() ? "null" : json_string(text); }

std::string_view kind_text(plan::Kind kind) {
  switch (kind) {
    case plan::Kind::service: return "service";
    case plan::Kind::task: return "task";
  }
  return "?";
}

std::string string_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    out += json_string(text);
  }
  return out + ']';
}

std::string or_null(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

std::string usage_json(const std::optional<host::GroupUsage>& usage) {
  if (!usage) return "null";
  return fmt::format(
      R"({{"memory_bytes":{},"memory_peak_bytes":{},"memory_kills":{},"processes":{},"cpu_seconds":{}}})",
      or_null(usage->memory_bytes), or_null(usage->memory_peak_bytes), or_null(usage->memory_kills),
      or_null(usage->processes),
      usage->cpu_microseconds ? fmt::format("{:.3f}", static_cast<double>(*usage->cpu_microseconds) / 1e6)
                              : "null");
}

std::string groups_json(const host::GroupFacts& groups) {
  return fmt::format(R"({{"path":{},"controllers":{},"why_not":{}}})", or_null(groups.path),
                     string_list(groups.controllers), or_null(groups.why_not));
}

std::string agents_json(const host::Instance& instance) {
  const std::optional<host::AgentsFacts> facts = instance.agents();
  if (!facts) return {};
  const auto time = [](std::int64_t unix_ms) {
    constexpr std::int64_t last_ms = 9'000'000'000'000;  // in 2255: what fits in nanoseconds
    return rfc3339(std::min(unix_ms, last_ms) * 1'000'000);
  };
  std::string failing;
  for (const host::FailingAgents& each : facts->failing) {
    failing += fmt::format(R"({}{{"group":{},"failures":{},"since":"{}","reason":{}}})",
                           failing.empty() ? "" : ",", json_string(each.group), each.failures,
                           time(each.since_unix_ms), json_string(each.reason));
  }
  return fmt::format(R"("agents":{{"backend":{},"since":"{}","failing":[{}]}},)", or_null(facts->backend),
                     time(facts->backend_since_unix_ms), failing);
}

/// What only the operator at the control socket sees: process ids, and what is used.
enum class Inside { shown, hidden };

std::string service_json(const host::Instance& instance, std::size_t id, Inside inside) {
  const engine::ServiceView& service = instance.view().services[id];
  const std::string pid = service.pid ? std::to_string(*service.pid) : "null";
  const bool shown = inside == Inside::shown;
  return fmt::format(
      R"({{"name":{},"kind":"{}","state":"{}",{}"since":"{}","restarts":{},"port":{},"waiting_for":{},"cause":{}{}}})",
      json_string(service.name), kind_text(service.kind), engine::to_text(service.state),
      shown ? fmt::format("\"pid\":{},", pid) : "", rfc3339(instance.unix_nanoseconds(service.since)),
      service.restarts, service.port != 0 ? std::to_string(service.port) : "null",
      string_list(service.waiting_for), json_string(service.cause),
      shown ? ",\"usage\":" + usage_json(instance.usage(static_cast<plan::ServiceId>(id))) : "");
}

std::string services_json(const host::Instance& instance, Inside inside) {
  std::string out = "[";
  for (std::size_t id = 0; id < instance.view().services.size(); ++id) {
    if (out.size() > 1) out += ',';
    out += service_json(instance, id, inside);
  }
  return out + ']';
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else if (length == 1) {
      append_ascii(out, text.front());
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out += '"';
}

std::string rfc3339(std::int64_t unix_nanoseconds) {
  constexpr std::int64_t second = 1'000'000'000;
  std::int64_t seconds = unix_nanoseconds / second;
  std::int64_t rest = unix_nanoseconds % second;
  if (rest < 0) {
    rest += second;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, rest / 1'000'000);
}

std::string status_json(const host::Instance& instance) {
  const engine::View& view = instance.view();
  std::string held;
  for (const engine::HeldKeyView& each : view.held_keys)
    held += (held.empty() ? "" : ",") + json_string(each.key);
  return fmt::format(
      R"({{"instance":{},"state":"{}","generation":{},"held":[{}],"control_groups":{},{}"services":{}}})",
      json_string(view.instance), engine::to_text(view.state), view.generation, held,
      groups_json(instance.control_groups()), agents_json(instance), services_json(instance, Inside::shown));
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
  return fmt::format(R"({{"instance":{},"state":"{}","ready":{},"services":{}}})", json_string(view.instance),
                     engine::to_text(view.state), view.ready, services_json(instance, Inside::hidden));
}

std::string event_json(const host::HistoryEvent& event) {
  return fmt::format(
      R"({{"seq":{},"time":"{}","service":{},"event":{},"code":{},"from":{},"to":{},"why":{},"cause":{}}})", event.seq,
      rfc3339(event.unix_nanoseconds), or_null(event.service), json_string(event.event), or_null(event.code),
      or_null(event.from), or_null(event.to), or_null(event.why), json_string(event.cause));
}

std::string log_line_json(const host::KeptLine& line) {
  return fmt::format(R"({{"seq":{},"time":"{}","service":{},"stream":"{}","text":{}}})", line.seq,
                     rfc3339(line.unix_nanoseconds), or_null(line.service),
                     line.stream == host::Stream::out ? "stdout" : "stderr", json_string(line.text));
}

std::string error_json(std::string_view sentence) {
  return fmt::format("{{\"error\":{}}}\n", json_string(sentence));
}

}  // namespace arizuko::api
