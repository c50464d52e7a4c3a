#include "render.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "arizuko/base/shown.hpp"
#include "arizuko/base/times.hpp"
#include "arizuko/engine/why.hpp"
#include "arizuko/host/logs/log_output.hpp"

namespace arizuko::cli {

namespace json = boost::json;

namespace {

std::string painted(std::string_view text, std::string_view paint, Colour colour) {
  if (colour == Colour::off || paint.empty() || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", paint, text);
}

// Characters, not bytes: every byte that does not continue one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Fit for a terminal, in one line: causes name processes and quote daemons.
std::string string_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? base::shown(value->get_string()) : std::string{};
}

std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::optional<json::object> object_of(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

Status::Service service_of(const json::object& object) {
  Status::Service service;
  service.name = string_of(object, "name");
  service.kind = string_of(object, "kind");
  service.state = string_of(object, "state");
  service.since = string_of(object, "since");
  service.cause = string_of(object, "cause");
  service.pid = number_of(object, "pid");
  service.port = number_of(object, "port");
  service.restarts = number_of(object, "restarts").value_or(0);
  if (const json::value* usage = object.if_contains("usage"); usage != nullptr && usage->is_object()) {
    service.memory_bytes = number_of(usage->get_object(), "memory_bytes");
    service.processes = number_of(usage->get_object(), "processes");
  }
  if (const json::value* list = object.if_contains("waiting_for"); list != nullptr && list->is_array()) {
    for (const json::value& each : list->get_array()) {
      if (each.is_string()) service.waiting_for.push_back(base::shown(each.get_string()));
    }
  }
  return service;
}

std::string or_dash(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

/// "12.5M", "1.2G": three digits at most before the unit.
std::string amount_of(const std::optional<std::int64_t>& bytes) {
  if (!bytes) return "-";
  constexpr double step = 1024;
  auto amount = static_cast<double>(*bytes) / step;
  std::string_view unit = "K";
  for (const std::string_view larger : {"M", "G", "T"}) {
    if (amount < step) break;
    amount /= step;
    unit = larger;
  }
  return amount < 10 ? fmt::format("{:.1f}{}", amount, unit) : fmt::format("{:.0f}{}", amount, unit);
}

/// What a reader of the table asks next: nothing while it serves.
std::string note_of(const Status::Service& service) {
  if (mood_of(service.state) == engine::Mood::well) return {};
  if (service.waiting_for.empty()) return service.cause;
  return fmt::format("waits for {}", fmt::join(service.waiting_for, ", "));
}

std::string age_of(const std::string& since, std::int64_t now) {
  const std::optional<std::int64_t> then = base::parse_rfc3339(since);
  if (!then) return "-";
  return engine::duration_text(engine::Nanoseconds(std::max<std::int64_t>(0, now - *then)));
}

/// "12:00:01.123" of "2026-11-22T12:00:01.123Z"
std::string clock_of(const std::string& time) { return time.size() >= 23 ? time.substr(11, 12) : time; }

}  // namespace

void Table::column(std::string title, Align align) { columns_.push_back({std::move(title), align}); }
void Table::row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }

std::string Table::text(Colour colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = width(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, width(row[i].text));
    widths.push_back(widest);
  }
  std::string out;
  const auto append = [&](const std::vector<Cell>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i].text), ' ');
      const bool right = columns_[i].align == Align::right;
      if (i > 0) line += "  ";
      line += (right ? padding : "") + painted(row[i].text, row[i].paint, colour) + (right ? "" : padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, "2"});
  append(titles);
  for (const auto& row : rows_) append(row);
  return out;
}

std::string_view paint_of(engine::Mood mood) {
  switch (mood) {
    case engine::Mood::well: return "32";
    case engine::Mood::busy: return "33";
    case engine::Mood::bad: return "31";
    case engine::Mood::off: return "2";
  }
  return "";
}

engine::Mood mood_of(std::string_view state) {
  for (const engine::State each : engine::all_states)
    if (engine::to_text(each) == state) return engine::mood(each);
  for (const engine::PodState each : engine::all_pod_states)
    if (engine::to_text(each) == state) return engine::mood(each);
  return engine::Mood::off;
}

std::expected<Status, std::string> parse_status(std::string_view text) {
  const std::optional<json::object> object = object_of(text);
  const json::value* services = object ? object->if_contains("services") : nullptr;
  if (services == nullptr || !services->is_array()) {
    return std::unexpected("the answer is not a status: is it an arizuko-init of another version?");
  }
  Status status;
  status.instance = string_of(*object, "instance");
  status.state = string_of(*object, "state");
  status.generation = static_cast<std::uint64_t>(number_of(*object, "generation").value_or(0));
  if (const json::value* held = object->if_contains("held"); held != nullptr && held->is_array()) {
    for (const json::value& key : held->get_array()) {
      if (key.is_string()) status.held.emplace_back(key.get_string());
    }
  }
  for (const json::value& each : services->get_array()) {
    if (each.is_object()) status.services.push_back(service_of(each.get_object()));
  }
  return status;
}

std::string status_text(const Status& status, std::string_view why, std::int64_t now, Colour colour) {
  Table table;
  table.column("NAME");
  table.column("STATE");
  table.column("FOR", Align::right);
  table.column("PID", Align::right);
  table.column("PORT", Align::right);
  table.column("RESTARTS", Align::right);
  // Known where the services have control groups only.
  const bool memory = std::ranges::any_of(
      status.services, [](const Status::Service& service) { return service.memory_bytes.has_value(); });
  const bool processes = std::ranges::any_of(
      status.services, [](const Status::Service& service) { return service.processes.has_value(); });
  if (memory) table.column("MEMORY", Align::right);
  if (processes) table.column("TASKS", Align::right);
  table.column("NOTE");
  for (const Status::Service& service : status.services) {
    std::vector<Cell> cells{{service.name},
                            {service.state, paint_of(mood_of(service.state))},
                            {age_of(service.since, now)},
                            {or_dash(service.pid)},
                            {or_dash(service.port)},
                            {std::to_string(service.restarts)}};
    if (memory) cells.push_back({amount_of(service.memory_bytes)});
    if (processes) cells.push_back({or_dash(service.processes)});
    cells.push_back({note_of(service)});
    table.row(std::move(cells));
  }
  const std::string held =
      status.held.empty() ? ""
                          : fmt::format("\nheld back: {}; `arizuko-init secrets` says why, and what to do\n",
                                        fmt::join(status.held, ", "));
  return fmt::format("{} is {}: {}\n\n{}{}", status.instance,
                     painted(status.state, paint_of(mood_of(status.state)), colour), why, table.text(colour),
                     held);
}

std::optional<std::string> event_text(std::string_view text, Colour colour) {
  const std::optional<json::object> object = object_of(text);
  if (!object) return std::nullopt;
  const std::string service = string_of(*object, "service");
  const std::string from = string_of(*object, "from");
  const std::string to = string_of(*object, "to");
  const std::string what = to.empty()
                               ? string_of(*object, "event")
                               : fmt::format("{} -> {}", painted(from, paint_of(mood_of(from)), colour),
                                             painted(to, paint_of(mood_of(to)), colour));
  return fmt::format("{} {:<12} {}: {}\n", clock_of(string_of(*object, "time")),
                     service.empty() ? "pod" : service, what, string_of(*object, "cause"));
}

std::optional<std::string> log_text(std::string_view text, Colour colour) {
  const std::optional<json::object> object = object_of(text);
  if (!object) return std::nullopt;
  const json::value* line = object->if_contains("text");
  const std::string service = string_of(*object, "service");
  host::LogRecord record;
  record.service = service.empty() ? "arizuko-init" : std::string_view(service);
  record.own = record.service == "arizuko-init";
  record.stream = string_of(*object, "stream") == "stdout" ? host::Stream::out : host::Stream::err;
  if (line != nullptr && line->is_string()) record.text = line->get_string();
  constexpr std::size_t name_width = 12;
  host::LogFormatter formatter(plan::LogFormat::console, colour == Colour::on, name_width);
  std::string out;
  formatter.append(out, record, base::parse_rfc3339(string_of(*object, "time")).value_or(0));
  return out;
}

std::string ready_table(const engine::View& view, Colour colour) {
  Table table;
  table.column("NAME");
  table.column("STATE");
  table.column("PID", Align::right);
  table.column("PORT", Align::right);
  table.column("READY AFTER", Align::right);
  table.column("NOTE");
  for (const engine::ServiceView& service : view.services) {
    const engine::Mood mood = engine::mood(service.state);
    table.row({{service.name},
               {std::string(engine::to_text(service.state)), paint_of(mood)},
               {service.run.pid ? std::to_string(*service.run.pid) : "-"},
               {service.port != 0 ? std::to_string(service.port) : "-"},
               {service.run.start_time ? engine::duration_text(*service.run.start_time) : "-"},
               {mood == engine::Mood::well ? "" : service.cause}});
  }
  return table.text(colour);
}

}  // namespace arizuko::cli
