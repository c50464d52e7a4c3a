#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "arizuko/base/bytes.hpp"
#include "arizuko/base/fnv1a.hpp"
#include "arizuko/base/json_text.hpp"
#include "arizuko/base/shown.hpp"
#include "arizuko/base/times.hpp"
#include "arizuko/host/logs/log_output.hpp"
#include "json_line.hpp"

// One pass a line, no allocation beyond the growth of `out`. Most lines are printable ASCII: a check
// that the compiler turns into vector code sends them down a path that only copies.

namespace arizuko::host {
namespace {

// -----------------------------------------------------------------------------------------------
// Words and colours

// Without red and yellow: those mean trouble.
constexpr std::array<std::string_view, 8> palette = {"\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m",
                                                     "\x1b[96m", "\x1b[92m", "\x1b[95m", "\x1b[94m"};
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view reset = "\x1b[0m";

std::string_view colour_of(std::string_view name) {
  const auto hash = base::fnv1a<std::uint32_t>(name);  // the same colour in each run
  return palette[(hash >> 16) % palette.size()];
}

/// As syslog(3) numbers them: what `journalctl -p` asks for.
char priority_of(std::string_view level) {
  if (level.starts_with("ERR") || level.starts_with("FATAL") || level.starts_with("PANIC")) return '3';
  if (level.starts_with("WARN")) return '4';
  if (level.starts_with("DEBUG") || level.starts_with("TRACE")) return '7';
  return '6';
}

std::string_view colour_of_level(std::string_view level) {
  switch (priority_of(level)) {
    case '3': return "\x1b[31m";
    case '4': return "\x1b[33m";
    case '7': return "\x1b[2m";
    default: return {};
  }
}

std::string_view word(Level level) {
  switch (level) {
    case Level::debug: return "DEBUG";
    case Level::info: return "INFO";
    case Level::warn: return "WARN";
    case Level::error: return "ERROR";
  }
  return {};
}

std::string_view word(Stream stream) { return stream == Stream::out ? "stdout" : "stderr"; }

void append_level(std::string& out, std::string_view level, bool colour) {
  const std::string_view code = colour ? colour_of_level(level) : std::string_view();
  out += code;
  out += level;
  if (!code.empty()) out += reset;
}

/// "INFO", "warn", "ERROR+2"; upper case in `buffer`. Anything else is no level.
std::optional<std::string_view> level_word(std::string_view value, std::array<char, 8>& buffer) {
  if (!is_string(value)) return std::nullopt;
  const std::string_view raw = inside(value);
  if (raw.empty() || raw.size() > buffer.size()) return std::nullopt;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    const bool lower = c >= 'a' && c <= 'z';
    if (!lower && !(c >= 'A' && c <= 'Z') && !(i > 0 && (c == '+' || c == '-' || (c >= '0' && c <= '9')))) {
      return std::nullopt;
    }
    buffer[i] = lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return std::string_view(buffer.data(), raw.size());
}

/// A value of a daemon's JSON, as `key=value` shows it.
void append_value(std::string& out, std::string_view value, std::string& scratch) {
  if (!is_string(value)) {
    base::append_shown(out, value);
    return;
  }
  scratch.clear();
  append_decoded(scratch, inside(value));
  const bool bare = !scratch.empty() && std::ranges::none_of(scratch, [](char c) {
    return base::byte(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F;
  });
  if (bare) {
    base::append_shown(out, scratch);
    return;
  }
  out += '"';
  std::size_t from = 0;
  for (std::size_t at = scratch.find_first_of("\"\\"); at != std::string::npos;
       at = scratch.find_first_of("\"\\", at + 1)) {
    base::append_shown(out, std::string_view(scratch).substr(from, at - from));
    out += '\\';
    from = at;
  }
  base::append_shown(out, std::string_view(scratch).substr(from));
  out += '"';
}

/// slog's line as "LEVEL msg key=value ...", without its time; false, and `out` as it was, when the
/// line is not what slog writes.
bool append_slog(std::string& out, std::string_view text, bool colour, std::string& scratch) {
  std::array<Field, 48> fields;
  std::size_t count = 0;
  const bool whole = JsonScanner(text).object([&](const Field& field) {
    if (count < fields.size()) fields[count] = field;
    ++count;
  });
  if (!whole || count > fields.size()) return false;

  const Field* level = nullptr;
  const Field* message = nullptr;
  const Field* time = nullptr;
  for (const Field& field : std::span(fields).first(count)) {
    const Field** place = field.key == "level"  ? &level
                          : field.key == "msg"  ? &message
                          : field.key == "time" ? &time
                                                : nullptr;
    if (place == nullptr) continue;
    if (*place != nullptr) return false;
    *place = &field;
  }
  if (level == nullptr || message == nullptr || !is_string(message->value)) return false;
  std::array<char, 8> buffer;
  const auto shown_level = level_word(level->value, buffer);
  if (!shown_level) return false;

  append_level(out, *shown_level, colour);
  out += ' ';
  scratch.clear();
  append_decoded(scratch, inside(message->value));
  base::append_shown(out, scratch);
  for (const Field& field : std::span(fields).first(count)) {
    if (&field == level || &field == message || &field == time) continue;
    out += ' ';
    scratch.clear();
    append_decoded(scratch, field.key);
    base::append_shown(out, scratch);
    out += '=';
    append_value(out, field.value, scratch);
  }
  return true;
}

void append_digits(std::string& out, std::int64_t value, int digits) {
  std::array<char, 9> text;
  for (int i = digits; i-- > 0; value /= 10)
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  out.append(text.data(), static_cast<std::size_t>(digits));
}

bool names_a_time(std::string_view key) {
  return is_key(key, "time") || is_key(key, "ts") || is_key(key, "timestamp") || is_key(key, "@timestamp");
}

/// What a JSON line of ours says in front of a daemon's object.
struct Preamble {
  std::string_view date;  // to the second
  std::int64_t nanoseconds = 0;
  std::string_view service;
  Stream stream = Stream::out;
};

void append_time_member(std::string& out, std::string_view date, std::int64_t nanoseconds) {
  out += "\"time\":\"";
  out += date;
  out += '.';
  append_digits(out, nanoseconds, 9);
  out += "Z\"";
}

/// A daemon's JSON object with our name in front: `{"service":"gated",` and the rest byte for byte. "service"
/// is always ours: whoever counts lines by it must not be led astray by a daemon. An object that has one of
/// its own keeps its value as "daemon_service"; one that would then have a key twice is wrapped as text. An
/// object without a time gets ours, and the stream. False, and `out` as it was, when `text` is no object.
bool append_spliced(std::string& out, std::string_view text, const Preamble& ours) {
  std::string_view service_key;
  std::size_t services = 0;
  bool timed = false;
  bool streamed = false;
  bool renamed_before = false;
  const bool whole = JsonScanner(text).object([&](const Field& field) {
    if (is_key(field.key, "service")) {
      service_key = field.key;
      ++services;
    }
    timed = timed || names_a_time(field.key);
    streamed = streamed || is_key(field.key, "stream");
    renamed_before = renamed_before || is_key(field.key, "daemon_service");
  });
  if (!whole || services > 1 || (services == 1 && renamed_before)) return false;
  out += '{';
  if (!timed) {
    append_time_member(out, ours.date, ours.nanoseconds);
    out += ',';
  }
  out += "\"service\":\"";
  base::append_json_text(out, ours.service);
  out += '"';
  if (!timed && !streamed) out.append(",\"stream\":\"").append(word(ours.stream)).append("\"");
  std::string_view rest = text.substr(1);
  const std::size_t first = rest.find_first_not_of(" \t\r");
  if (rest[first] != '}') out += ',';
  if (services == 1) {
    const auto at = static_cast<std::size_t>(service_key.data() - rest.data());
    out.append(rest, 0, at).append("daemon_service");
    rest.remove_prefix(at + service_key.size());
  }
  out += rest;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\t') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

LogFormatter::LogFormatter(plan::LogFormat format, bool colour, std::size_t name_width)
    : format_(format), colour_(colour), name_width_(name_width) {}

void LogFormatter::append(std::string& out, const LogRecord& record, std::int64_t unix_nanoseconds) {
  const auto [seconds, nanoseconds] = base::split(unix_nanoseconds);
  if (seconds != cached_second_ || cached_date_.empty()) {
    cached_date_ = base::date_and_time(seconds);
    cached_second_ = seconds;
  }
  switch (format_) {
    case plan::LogFormat::console: append_console(out, record, nanoseconds); break;
    case plan::LogFormat::journal: append_journal(out, record); break;
    case plan::LogFormat::json: append_json(out, record, nanoseconds); break;
  }
  out += '\n';
}

void LogFormatter::append_console(std::string& out, const LogRecord& record, std::int64_t nanoseconds) {
  out.append(cached_date_, cached_date_.size() - 8);
  out += '.';
  append_digits(out, nanoseconds / 1'000'000, 3);
  out += ' ';
  if (colour_) out += record.own ? bold : colour_of(record.service);
  out += record.service;
  if (record.service.size() < name_width_) out.append(name_width_ - record.service.size(), ' ');
  if (colour_) out += reset;
  out += " | ";
  if (record.own && record.level != Level::info) {
    append_level(out, word(record.level), colour_);
    out += ' ';
  }
  append_shown_line(out, record, colour_);
}

void LogFormatter::append_journal(std::string& out, const LogRecord& record) {
  const std::size_t prefix = out.size();
  out += "<6>";
  out += record.service;
  out += ": ";
  const std::size_t begin = out.size();
  const bool levelled = append_shown_line(out, record, false);
  out[prefix + 1] = priority_of(levelled     ? std::string_view(out).substr(begin)
                                : record.own ? word(record.level)
                                             : std::string_view());
}

bool LogFormatter::append_shown_line(std::string& out, const LogRecord& record, bool colour) {
  const bool may_be_json = !record.own && !record.cut && !record.unfinished && record.text.starts_with('{');
  const bool levelled = may_be_json && append_slog(out, trimmed(record.text), colour, scratch_);
  if (!levelled) base::append_shown(out, record.text);
  if (record.cut) out += " [cut]";
  if (record.unfinished) out += unfinished_mark;
  return levelled;
}

void LogFormatter::append_json(std::string& out, const LogRecord& record, std::int64_t nanoseconds) {
  const bool may_be_json = !record.own && !record.cut && !record.unfinished && record.text.starts_with('{');
  const Preamble ours{cached_date_, nanoseconds, record.service, record.stream};
  if (may_be_json && append_spliced(out, trimmed(record.text), ours)) return;

  out += '{';
  append_time_member(out, cached_date_, nanoseconds);
  out += ',';
  if (record.own) {
    out += "\"level\":\"";
    out += word(record.level);
    out += "\",";
  }
  out += "\"service\":\"";
  base::append_json_text(out, record.service);
  if (!record.own) {
    out += "\",\"stream\":\"";
    out += word(record.stream);
  }
  out += "\",\"msg\":\"";
  base::append_json_text(out, record.text);
  out += '"';
  if (record.cut) out += ",\"cut\":true";
  if (record.unfinished) out += ",\"unfinished\":true";
  out += '}';
}

}  // namespace arizuko::host
