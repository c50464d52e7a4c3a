// The control socket's answers. Whoever gets here is the same user or root: http_server.cpp.
#include <algorithm>
#include <charconv>
#include <expected>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/api/routes.hpp"
#include "arizuko/api/status_json.hpp"
#include "arizuko/base/nearest.hpp"
#include "arizuko/engine/why.hpp"
#include "secrets_json.hpp"

namespace arizuko::api {

namespace {

constexpr std::string_view there_is =
    "the paths are: GET /v1/status /v1/why /v1/events /v1/logs /v1/secrets /v1/services/@GROUP, "
    "POST /v1/services/NAME/start|stop|restart /v1/reload /v1/secrets/KEY/accept|retry /v1/secrets/retry";
constexpr std::uint64_t default_lines = 100;

/// `text` as the body, with its newline.
Response json(int status, std::string text) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(text) + '\n';
  return response;
}

Response error(int status, std::string_view sentence) { return json(status, error_json(sentence)); }

Response wrong_method(const Request& request, std::string_view allowed) {
  Response refused = error(405, fmt::format("{} accepts {}, not {}", request.path, allowed, request.method));
  refused.headers.emplace_back("Allow", allowed);
  return refused;
}

bool reads(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

std::vector<std::string> names(const host::Instance& instance) {
  std::vector<std::string> all;
  for (const engine::ServiceView& service : instance.view().services) all.push_back(service.name);
  return all;
}

std::optional<plan::ServiceId> find(const host::Instance& instance, std::string_view name) {
  const auto& services = instance.view().services;
  const auto found = std::ranges::find(services, name, &engine::ServiceView::name);
  if (found == services.end()) return std::nullopt;
  return static_cast<plan::ServiceId>(found - services.begin());
}

/// 404 with the name that was meant, or with all there are when none is near.
Response no_such_service(std::string_view wanted, const host::Instance& instance) {
  const std::vector<std::string> all = names(instance);
  const auto near = base::nearest(wanted, std::vector<std::string_view>(all.begin(), all.end()));
  return error(
      404, near ? fmt::format("there is no service \"{}\" here; did you mean \"{}\"?", wanted, *near)
                : fmt::format("there is no service \"{}\" here; there is: {}", wanted, fmt::join(all, ", ")));
}

/// The services of the plan by group, in start order; what a reload took out of the plan is in none.
std::map<std::string, std::vector<std::string>, std::less<>> groups(const host::Instance& instance) {
  std::map<std::string, std::vector<std::string>, std::less<>> all;
  for (const plan::Service& service : instance.plan().services) {
    if (service.enabled && !service.group_name.empty()) all[service.group_name].push_back(service.name);
  }
  return all;
}

/// /v1/services/@NAME: who is in the group.
Response group(std::string_view name, const host::Instance& instance) {
  const auto all = groups(instance);
  if (const auto found = all.find(name); found != all.end())
    return json(200, group_json(found->first, found->second));
  std::vector<std::string_view> known;
  for (const auto& [each, services] : all) known.push_back(each);
  if (known.empty())
    return error(404, fmt::format("there is no group \"@{}\" here: no service of the plan has one", name));
  const auto near = base::nearest(name, known);
  return error(404, near ? fmt::format("there is no group \"@{}\" here; did you mean \"@{}\"?", name, *near)
                         : fmt::format("there is no group \"@{}\" here; there is: @{}", name,
                                       fmt::join(known, ", @")));
}

/// A number of the query. The error is a sentence.
std::expected<std::optional<std::uint64_t>, std::string> number(const Request& request,
                                                                std::string_view key) {
  const std::optional<std::string> text = request.value(key);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (problem != std::errc{} || end != text->data() + text->size()) {
    return std::unexpected(fmt::format("{} must be a whole number, not \"{}\"", key, *text));
  }
  return value;
}

std::string lost_text(std::uint64_t lost, std::string_view what) {
  return fmt::format("{} {} were lost: the history is bounded and this reader was too slow", lost, what);
}

class EventStream final : public LineStream {
 public:
  EventStream(const host::Instance& instance, std::optional<std::uint64_t> after)
      : instance_(instance), after_(after.value_or(0)), gaps_count_(after.has_value()) {}

  std::string next() override {
    std::string piece;
    while (piece.size() < max_piece_bytes) {
      const std::vector<host::HistoryEvent> events = instance_.events(after_, 64);
      if (events.empty()) break;
      for (const host::HistoryEvent& event : events) {
        if (gaps_count_ && event.seq > after_ + 1) piece += gap(event);
        piece += event_json(event) + '\n';
        after_ = event.seq;
        gaps_count_ = true;
      }
    }
    return piece;
  }

 private:
  std::string gap(const host::HistoryEvent& first) const {
    const std::string text = lost_text(first.seq - after_ - 1, "events");
    return event_json({first.seq - 1, first.unix_nanoseconds, "", "gap", "", "", text, "gap"}) + '\n';
  }

  const host::Instance& instance_;
  std::uint64_t after_;
  bool gaps_count_;  // false until the first event of a stream that began wherever history begins
};

class LogStream final : public LineStream {
 public:
  LogStream(const host::Instance& instance, std::vector<std::string> services, std::uint64_t lines)
      : instance_(instance), services_(std::move(services)), until_(instance.logs().last_seq()) {
    const host::LogHistory::Begin begin = instance.logs().begin_of_tail(services_, lines);
    after_ = begin.after;
    first_ = begin.lines;
  }

  std::string next() override {
    std::string piece;
    if (first_ > 0) append_first(piece);
    if (first_ == 0 && follow) append_new(piece);
    return piece;
  }

 private:
  static constexpr std::size_t page = 128;  // lines that are copied at a time

  // Of the services asked for, up to the last line there was when they were asked for.
  void append_first(std::string& piece) {
    while (first_ > 0 && piece.size() < max_piece_bytes) {
      const std::vector<host::KeptLine> lines =
          instance_.logs().since(services_, after_, std::min(page, first_));
      const bool dropped = lines.empty() || lines.front().seq > until_;
      if (dropped)
        piece +=
            log_gap_json(until_, instance_.unix_nanoseconds(instance_.now()), lost_text(first_, "lines")) +
            '\n';
      for (const host::KeptLine& line : lines) {
        if (line.seq > until_ || piece.size() >= max_piece_bytes) break;
        piece += log_line_json(line) + '\n';
        after_ = line.seq;
        --first_;
      }
      if (dropped) first_ = 0;
    }
    if (first_ == 0) after_ = std::max(after_, until_);
  }

  // Numbers run over all services: what is missing between two of them was dropped by the history
  // (or, beyond the last line seen, is still to come).
  void append_new(std::string& piece) {
    while (after_ != instance_.logs().last_seq() && piece.size() < max_piece_bytes) {
      const std::vector<host::KeptLine> lines = instance_.logs().since({}, after_, page);
      if (lines.empty()) return;
      for (const host::KeptLine& line : lines) {
        if (piece.size() >= max_piece_bytes) return;
        if (line.seq > after_ + 1) {
          piece += log_gap_json(line.seq - 1, line.unix_nanoseconds,
                                lost_text(line.seq - after_ - 1, "lines (of all services)")) +
                   '\n';
        }
        after_ = line.seq;
        if (services_.empty() || std::ranges::find(services_, line.service) != services_.end()) {
          piece += log_line_json(line) + '\n';
        }
      }
    }
  }

  const host::Instance& instance_;
  std::vector<std::string> services_;
  std::uint64_t until_;
  std::uint64_t after_ = 0;
  std::size_t first_ = 0;  // lines still to be given of those asked for
};

Response streamed(std::shared_ptr<LineStream> stream, const Request& request) {
  Response response;
  response.content_type = "application/x-ndjson";
  const std::string follow = request.value("follow").value_or("0");
  stream->follow = follow == "1" || follow == "true";
  response.stream = std::move(stream);
  return response;
}

Response events(const Request& request, const host::Instance& instance) {
  const auto after = number(request, "after");
  if (!after) return error(400, after.error());
  return streamed(std::make_shared<EventStream>(instance, *after), request);
}

Response logs(const Request& request, const host::Instance& instance) {
  const auto lines = number(request, "lines");
  if (!lines) return error(400, lines.error());
  std::vector<std::string> services;
  for (const auto& [key, name] : request.query) {
    if (key != "service") continue;
    if (!find(instance, name) && name != "arizuko-init") return no_such_service(name, instance);
    services.push_back(name);
  }
  return streamed(std::make_shared<LogStream>(instance, std::move(services), lines->value_or(default_lines)),
                  request);
}

Response why(const Request& request, const host::Instance& instance) {
  const std::optional<std::string> name = request.value("service");
  std::string sentence;
  if (name) {
    const std::optional<plan::ServiceId> service = find(instance, *name);
    if (!service) return no_such_service(*name, instance);
    sentence = engine::why(instance.view(), *service, instance.now());
  } else {
    sentence = pod_sentence(instance);
  }
  return json(200, why_json(name.value_or(""), sentence));
}

Response status(const host::Instance& instance) {
  Response response = json(200, status_json(instance));
  response.headers.emplace_back(all_well_header, engine::all_well(instance.view()) ? "yes" : "no");
  return response;
}

Response carried_out(const host::CommandResult& result) {
  return json(result.accepted ? 202 : 409, result_json(result));
}

/// /v1/services/NAME/VERB, /v1/services/@GROUP
Response command(const Request& request, host::Instance& instance) {
  std::string_view rest = std::string_view(request.path).substr(std::string_view("/v1/services/").size());
  const std::size_t slash = rest.find('/');
  const std::string_view name = rest.substr(0, slash);
  const std::string_view verb = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  if (name.starts_with('@') && slash == std::string_view::npos)
    return reads(request) ? group(name.substr(1), instance) : wrong_method(request, "GET, HEAD");
  std::optional<engine::Command::Verb> wanted;
  if (verb == "start") wanted = engine::Command::Verb::start;
  if (verb == "stop") wanted = engine::Command::Verb::stop;
  if (verb == "restart") wanted = engine::Command::Verb::restart;
  if (!wanted) return error(404, fmt::format("there is no path {}; {}", request.path, there_is));
  if (request.method != "POST") return wrong_method(request, "POST");
  if (!find(instance, name)) return no_such_service(name, instance);
  return carried_out(instance.command(*wanted, name, request.by));
}

/// /v1/secrets/retry, /v1/secrets/KEY/retry, /v1/secrets/KEY/accept
Response accept(const Request& request, host::Instance& instance) {
  std::string_view rest = std::string_view(request.path).substr(std::string_view("/v1/secrets/").size());
  const std::size_t slash = rest.find('/');
  const std::string_view key = rest.substr(0, slash);
  const std::string_view verb = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
  const bool all = slash == std::string_view::npos && verb == "retry";
  if (!all && (slash == std::string_view::npos || (verb != "accept" && verb != "retry")))
    return error(404, fmt::format("there is no path {}; {}", request.path, there_is));
  if (request.method != "POST") return wrong_method(request, "POST");
  if (all) return carried_out(instance.retry(std::nullopt, request.by));
  std::vector<std::string> names;
  for (const host::KeyFacts& each : instance.keys()) names.push_back(each.name);
  for (const engine::HeldKeyView& each : instance.view().values.held_keys) names.push_back(each.key);
  if (std::ranges::find(names, key) == names.end())
    return error(404, fmt::format("no service takes a key {}; `arizuko-init secrets` lists the keys", key));
  return carried_out(verb == "accept" ? instance.accept(key, request.by)
                                      : instance.retry(std::string(key), request.by));
}

}  // namespace

Response control_route(const Request& request, host::Instance& instance) {
  using Route = Response (*)(const Request&, const host::Instance&);
  const Route route =
      request.path == "/v1/status"   ? [](const Request&, const host::Instance& it) { return status(it); }
      : request.path == "/v1/why"    ? why
      : request.path == "/v1/events" ? events
      : request.path == "/v1/logs"   ? logs
      : request.path == "/v1/secrets"
          ? [](const Request&, const host::Instance& it) { return json(200, secrets_json(it)); }
          : nullptr;
  if (route != nullptr) return reads(request) ? route(request, instance) : wrong_method(request, "GET, HEAD");
  if (request.path.starts_with("/v1/services/")) return command(request, instance);
  if (request.path.starts_with("/v1/secrets/")) return accept(request, instance);
  if (request.path == "/v1/reload") {
    return request.method == "POST" ? carried_out(instance.reload(request.by))
                                    : wrong_method(request, "POST");
  }
  return error(404, fmt::format("there is no path {}; {}", request.path, there_is));
}

}  // namespace arizuko::api
