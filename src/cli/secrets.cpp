// What `arizuko-init secrets` shows: the answer of /v1/secrets as tables. Names, times and who takes them.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "arizuko/base/shown.hpp"
#include "arizuko/base/times.hpp"
#include "arizuko/engine/why.hpp"
#include "render.hpp"

namespace arizuko::cli {

namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? base::shown(value->get_string()) : "";
}

bool flag_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

std::vector<std::string> names_at(const json::object& object, std::string_view key) {
  std::vector<std::string> names;
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return names;
  for (const json::value& each : value->get_array()) {
    if (each.is_string()) names.push_back(base::shown(each.get_string()));
  }
  return names;
}

std::vector<json::object> objects_at(const json::object& object, std::string_view key) {
  std::vector<json::object> list;
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return list;
  for (const json::value& each : value->get_array()) {
    if (each.is_object()) list.push_back(each.get_object());
  }
  return list;
}

/// "3 min" ago, or until then.
std::string age(const std::string& time, std::int64_t now) {
  const std::optional<std::int64_t> then = base::parse_rfc3339(time);
  if (!then) return "-";
  return engine::duration_text(engine::Nanoseconds(*then > now ? *then - now : now - *then));
}

std::string changes(const json::object& rotation) {
  std::vector<std::string> parts;
  for (const char* kind : {"added", "changed", "removed"}) {
    const std::vector<std::string> names = names_at(rotation, kind);
    if (!names.empty()) parts.push_back(fmt::format("{} {}", fmt::join(names, ", "), kind));
  }
  return parts.empty() ? "nothing new" : fmt::format("{}", fmt::join(parts, "; "));
}

std::string rotation_text(const json::object& rotation, std::int64_t now) {
  const std::string outcome = text_at(rotation, "outcome");
  std::string text = fmt::format("generation {} ({}), {} ago", number_at(rotation, "generation"),
                                 changes(rotation), age(text_at(rotation, "began"), now));
  text += fmt::format(": {}", outcome.empty() ? text_at(rotation, "phase") : outcome);
  if (!text_at(rotation, "cause").empty()) text += ", " + text_at(rotation, "cause");
  text += '\n';
  const std::vector<std::string> remaining = names_at(rotation, "remaining");
  if (!remaining.empty()) text += fmt::format("  still to restart: {}\n", fmt::join(remaining, ", "));
  const json::value* ready = rotation.if_contains("seconds_to_ready");
  if (ready != nullptr && ready->is_number()) {
    text +=
        fmt::format("  {:.1f} s from the switch until all of them were ready\n", ready->to_number<double>());
  }
  return text;
}

std::string held_text(const json::object& page, std::int64_t now) {
  std::string text;
  for (const json::object& held : objects_at(page, "held")) {
    const std::string retry = text_at(held, "retry_at");
    const std::string remedy =
        retry.empty() ? text_at(held, "remedy") : fmt::format("It is tried once more in {}", age(retry, now));
    text += fmt::format("held back: {} ({} by generation {}, for {}{}): {}. {}\n", text_at(held, "key"),
                        text_at(held, "how"), number_at(held, "generation"), age(text_at(held, "since"), now),
                        flag_at(held, "blocks") ? "; what takes it does not start" : "",
                        text_at(held, "reason"), remedy);
  }
  return text;
}

std::string waiting_text(const json::object& page, std::int64_t now) {
  const json::value* waiting = page.if_contains("waiting");
  if (waiting == nullptr || !waiting->is_object()) return "";
  const json::object& object = waiting->get_object();
  const std::string until = text_at(object, "until");
  return fmt::format("waiting: generation {}{}: {}\n", number_at(object, "generation"),
                     until.empty() ? "" : fmt::format(", for {} more", age(until, now)),
                     text_at(object, "cause"));
}

}  // namespace

std::expected<std::string, std::string> secrets_text(std::string_view body, std::int64_t now, Colour colour) {
  json::error_code error;
  const json::value parsed = json::parse(body, error);
  if (error || !parsed.is_object()) return std::unexpected("the answer is not the JSON that was expected");
  const json::object& page = parsed.get_object();

  std::string text = fmt::format("generation {}, in force for {}\n", number_at(page, "generation"),
                                 age(text_at(page, "since"), now));
  if (const json::value* rotation = page.if_contains("rotation");
      rotation != nullptr && rotation->is_object())
    text += "last rotation: " + rotation_text(rotation->get_object(), now);
  text += waiting_text(page, now) + held_text(page, now) + '\n';

  Table table;
  for (const char* title : {"KEY", "SOURCE", "AGE", "TAKEN BY"}) table.column(title);
  for (const json::object& key : objects_at(page, "keys")) {
    const std::string source = text_at(key, "source");
    std::string note = fmt::format("{}", fmt::join(names_at(key, "taken_by"), " "));
    if (flag_at(key, "guarded")) {
      const std::string digits = text_at(key, "fingerprint");
      note += fmt::format("  guarded{}", digits.empty() ? "" : ", fingerprint " + digits);
    }
    table.row({{text_at(key, "name"), source.empty() ? "2" : ""},
               {source.empty() ? "not set" : source, source.empty() ? "2" : ""},
               {source.empty() ? "" : age(text_at(key, "since"), now)},
               {note}});
  }
  text += table.text(colour);

  std::vector<std::string> old;
  for (const json::object& service : objects_at(page, "services")) {
    if (flag_at(service, "old_values"))
      old.push_back(
          fmt::format("{} (generation {})", text_at(service, "name"), number_at(service, "generation")));
  }
  if (!old.empty()) text += fmt::format("\nstill with older values: {}\n", fmt::join(old, ", "));
  return text;
}

}  // namespace arizuko::cli
