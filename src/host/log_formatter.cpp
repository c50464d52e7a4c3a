#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "arizuko/host/log_output.hpp"

// One pass a line, no allocation beyond the growth of `out`. Most lines are printable ASCII: a check
// that the compiler turns into vector code sends them down a path that only copies.

namespace arizuko::host {
namespace {

// -----------------------------------------------------------------------------------------------
// Characters

using Byte = unsigned char;
constexpr Byte byte(char c) { return static_cast<Byte>(c); }

/// No control character but TAB, no DEL, nothing beyond ASCII.
bool is_plain(std::string_view text) {
  // Counted in one go, without an early exit, so that it is vectorised.
  unsigned odd = 0;
  for (const char c : text) {
    const Byte b = byte(c);
    odd |= static_cast<unsigned>((b < 0x20) & (b != '\t')) | static_cast<unsigned>(b >= 0x7f);
  }
  return odd == 0;
}

/// The length of the well-formed UTF-8 character that begins at `at`, 0 when there is none.
/// Unicode 15, table 3-7: no overlong forms, no surrogates, nothing over U+10FFFF.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const Byte first = byte(text[at]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || text.size() - at < length) return 0;
  const Byte second = byte(text[at + 1]);
  const Byte low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const Byte high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (second < low || second > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(text[at + i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t value) { out += static_cast<char>(static_cast<Byte>(value)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

constexpr char hex_digits[] = "0123456789abcdef";

void append_hex(std::string& out, std::string_view prefix, Byte b) {
  out += prefix;
  out += hex_digits[b >> 4];
  out += hex_digits[b & 15];
}

/// For each byte: may it stand as it is, without a look at its neighbours?
using Table = std::array<bool, 256>;
constexpr Table stands_on_console = [] {
  Table table{};
  for (std::size_t b = 0x20; b < 0x7F; ++b) table[b] = true;
  table['\t'] = true;
  return table;
}();
constexpr Table stands_in_json = [] {  // inside a string; DEL is allowed there, and written \u007f by us
  Table table{};
  for (std::size_t b = 0x20; b < 0x7F; ++b) table[b] = b != '"' && b != '\\';
  return table;
}();

std::size_t skip(std::string_view text, std::size_t at, const Table& table) {
  while (at < text.size() && table[byte(text[at])]) ++at;
  return at;
}

/// For a terminal: a daemon's escape sequences are shown, not obeyed. C1 controls too: U+009B is CSI.
void append_shown(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += text;
    return;
  }
  std::size_t from = 0;  // what is before `at` and not yet written
  for (std::size_t at = skip(text, 0, stands_on_console); at < text.size();
       at = skip(text, at, stands_on_console)) {
    const Byte b = byte(text[at]);
    const std::size_t length = utf8_length(text, at);
    const bool c1 = length == 2 && b == 0xC2 && byte(text[at + 1]) < 0xA0;
    if (length > 1 && !c1) {
      at += length;
      continue;
    }
    out.append(text, from, at - from);
    if (b == '\n') {
      out += "\\n";
    } else if (b == '\r') {
      out += "\\r";
    } else {
      append_hex(out, "\\x", c1 ? byte(text[at + 1]) : b);
    }
    from = at += std::max<std::size_t>(length, 1);
  }
  out.append(text, from);
}

/// The inside of a JSON string.
void append_json_text(std::string& out, std::string_view text) {
  std::size_t from = 0;
  for (std::size_t at = skip(text, 0, stands_in_json); at < text.size();
       at = skip(text, at, stands_in_json)) {
    const Byte b = byte(text[at]);
    const std::size_t length = utf8_length(text, at);
    if (length > 1) {
      at += length;
      continue;
    }
    out.append(text, from, at - from);
    switch (b) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (length == 0) {
          out += "\xEF\xBF\xBD";  // U+FFFD
        } else {
          append_hex(out, "\\u00", b);
        }
    }
    from = ++at;
  }
  out.append(text, from);
}

// -----------------------------------------------------------------------------------------------
// A daemon's JSON line

/// Raw text of one member of the outermost object: the key without its quotes, escapes as they are.
struct Field {
  std::string_view key;
  std::string_view value;
};

std::uint32_t hex4(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    const auto digit = static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    value = value * 16 + digit;
  }
  return value;
}

/// True for RFC 8259's one object and nothing else, in well-formed UTF-8, at most 64 levels deep.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  template <class OnField>
  bool object(OnField&& on_field) {
    if (!take('{')) return false;
    space();
    if (!take('}')) {
      do {
        space();
        Field field;
        if (!string(field.key)) return false;
        space();
        if (!take(':')) return false;
        space();
        const std::size_t begin = at_;
        if (!value(1)) return false;
        field.value = text_.substr(begin, at_ - begin);
        on_field(field);
        space();
      } while (take(','));
      if (!take('}')) return false;
    }
    return at_ == text_.size();
  }

 private:
  static constexpr int max_depth = 64;

  bool ended() const { return at_ >= text_.size(); }
  bool take(char c) {
    if (ended() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (!ended() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  bool value(int depth) {
    if (ended() || depth >= max_depth) return false;
    std::string_view ignored;
    switch (text_[at_]) {
      case '"': return string(ignored);
      case '{': return members(depth);
      case '[': return elements(depth);
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool members(int depth) {
    ++at_;
    space();
    if (take('}')) return true;
    std::string_view ignored;
    do {
      space();
      if (!string(ignored)) return false;
      space();
      if (!take(':')) return false;
      space();
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take('}');
  }

  bool elements(int depth) {
    ++at_;
    space();
    if (take(']')) return true;
    do {
      space();
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take(']');
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (!ended() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool string(std::string_view& inside) {
    if (!take('"')) return false;
    const std::size_t begin = at_;
    for (at_ = skip(text_, at_, stands_in_json); !ended(); at_ = skip(text_, at_, stands_in_json)) {
      const Byte b = byte(text_[at_]);
      if (b == '"') {
        inside = text_.substr(begin, at_ - begin);
        ++at_;
        return true;
      }
      if (b < 0x20) return false;
      if (b == '\\') {
        if (!escape()) return false;
      } else {
        const std::size_t length = b < 0x80 ? 1 : utf8_length(text_, at_);
        if (length == 0) return false;
        at_ += length;
      }
    }
    return false;
  }

  bool escape() {
    ++at_;
    if (ended()) return false;
    const char c = text_[at_++];
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    const std::optional<std::uint32_t> code = four_digits();
    if (!code) return false;
    if (*code < 0xD800 || *code >= 0xE000) return true;
    // Half of a surrogate pair is grammar, but no character: strict readers refuse the whole line.
    if (*code >= 0xDC00 || !take('\\') || !take('u')) return false;
    const std::optional<std::uint32_t> low = four_digits();
    return low && *low >= 0xDC00 && *low < 0xE000;
  }

  std::optional<std::uint32_t> four_digits() {
    const std::string_view digits = text_.substr(at_, 4);
    if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return std::nullopt;
    }
    at_ += 4;
    return hex4(digits);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// What the raw inside of a valid JSON string says.
void append_decoded(std::string& out, std::string_view raw) {
  for (std::size_t at = 0; at < raw.size(); ++at) {
    const std::size_t escape = std::min(raw.find('\\', at), raw.size());
    out.append(raw, at, escape - at);
    at = escape;
    if (at == raw.size()) break;
    switch (raw[++at]) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        std::uint32_t code = hex4(raw.substr(at + 1));
        at += 4;
        if (code >= 0xD800 && code < 0xDC00) {  // its other half follows: the scanner saw to it
          code = 0x10000 + ((code - 0xD800) << 10) + (hex4(raw.substr(at + 3)) - 0xDC00);
          at += 6;
        }
        append_utf8(out, code);
        break;
      }
      default: out += raw[at];  // '"', '\\', '/'
    }
  }
}

/// Whether the raw key says `name`; keys with escapes are rare.
bool is_key(std::string_view raw, std::string_view name) {
  if (raw.find('\\') == std::string_view::npos) return raw == name;
  std::string decoded;
  append_decoded(decoded, raw);
  return decoded == name;
}

bool is_string(std::string_view value) { return value.starts_with('"'); }
std::string_view inside(std::string_view string) { return string.substr(1, string.size() - 2); }

// -----------------------------------------------------------------------------------------------
// Words and colours

// Without red and yellow: those mean trouble.
constexpr std::array<std::string_view, 8> palette = {"\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m",
                                                     "\x1b[96m", "\x1b[92m", "\x1b[95m", "\x1b[94m"};
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view reset = "\x1b[0m";

std::string_view colour_of(std::string_view name) {
  std::uint32_t hash = 2166136261U;  // FNV-1a: the same colour in each run
  for (const char c : name) hash = (hash ^ byte(c)) * 16777619U;
  return palette[(hash >> 16) % palette.size()];
}

std::string_view colour_of_level(std::string_view level) {
  if (level.starts_with("ERR") || level.starts_with("FATAL") || level.starts_with("PANIC")) return "\x1b[31m";
  if (level.starts_with("WARN")) return "\x1b[33m";
  if (level.starts_with("DEBUG") || level.starts_with("TRACE")) return "\x1b[2m";
  return {};
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
    append_shown(out, value);
    return;
  }
  scratch.clear();
  append_decoded(scratch, inside(value));
  const bool bare = !scratch.empty() && std::ranges::none_of(scratch, [](char c) {
    return byte(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F;
  });
  if (bare) {
    append_shown(out, scratch);
    return;
  }
  out += '"';
  std::size_t from = 0;
  for (std::size_t at = scratch.find_first_of("\"\\"); at != std::string::npos;
       at = scratch.find_first_of("\"\\", at + 1)) {
    append_shown(out, std::string_view(scratch).substr(from, at - from));
    out += '\\';
    from = at;
  }
  append_shown(out, std::string_view(scratch).substr(from));
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
  append_shown(out, scratch);
  for (const Field& field : std::span(fields).first(count)) {
    if (&field == level || &field == message || &field == time) continue;
    out += ' ';
    scratch.clear();
    append_decoded(scratch, field.key);
    append_shown(out, scratch);
    out += '=';
    append_value(out, field.value, scratch);
  }
  return true;
}

/// A daemon's JSON object with our name in front: `{"service":"gated",` and the rest byte for byte.
/// An object that has a "service" of its own keeps it, and ours is "arizuko_service"; one that has
/// both is wrapped as text, so that no key ever stands twice. False, and `out` as it was, when `text`
/// is no object.
bool append_spliced(std::string& out, std::string_view text, std::string_view service) {
  bool has_service = false;
  bool has_ours = false;
  const bool whole = JsonScanner(text).object([&](const Field& field) {
    has_service = has_service || is_key(field.key, "service");
    has_ours = has_ours || is_key(field.key, "arizuko_service");
  });
  if (!whole || (has_service && has_ours)) return false;
  out += has_service ? "{\"arizuko_service\":\"" : "{\"service\":\"";
  append_json_text(out, service);
  out += '"';
  std::string_view rest = text.substr(1);
  const std::size_t first = rest.find_first_not_of(" \t\r");
  if (rest[first] != '}') out += ',';
  out += rest;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\t') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

void append_digits(std::string& out, std::int64_t value, int digits) {
  std::array<char, 9> text;
  for (int i = digits; i-- > 0; value /= 10)
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  out.append(text.data(), static_cast<std::size_t>(digits));
}

}  // namespace

LogFormatter::LogFormatter(plan::LogFormat format, bool colour, std::size_t name_width)
    : format_(format), colour_(colour), name_width_(name_width) {}

void LogFormatter::append(std::string& out, const LogRecord& record, std::int64_t unix_nanoseconds) {
  constexpr std::int64_t second = 1'000'000'000;
  std::int64_t seconds = unix_nanoseconds / second;
  std::int64_t nanoseconds = unix_nanoseconds % second;
  if (nanoseconds < 0) {
    nanoseconds += second;
    --seconds;
  }
  if (seconds != cached_second_ || cached_date_.empty()) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    cached_date_ = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                               utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    cached_second_ = seconds;
  }
  switch (format_) {
    case plan::LogFormat::console: append_console(out, record, nanoseconds); break;
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
  const bool may_be_json = !record.own && !record.cut && record.text.starts_with('{');
  if (!may_be_json || !append_slog(out, trimmed(record.text), colour_, scratch_)) {
    append_shown(out, record.text);
  }
  if (record.cut) out += " [cut]";
}

void LogFormatter::append_json(std::string& out, const LogRecord& record, std::int64_t nanoseconds) {
  const bool may_be_json = !record.own && !record.cut && record.text.starts_with('{');
  if (may_be_json && append_spliced(out, trimmed(record.text), record.service)) return;

  out += "{\"time\":\"";
  out += cached_date_;
  out += '.';
  append_digits(out, nanoseconds, 9);
  out += "Z\",";
  if (record.own) {
    out += "\"level\":\"";
    out += word(record.level);
    out += "\",";
  }
  out += "\"service\":\"";
  append_json_text(out, record.service);
  if (!record.own) {
    out += "\",\"stream\":\"";
    out += word(record.stream);
  }
  out += "\",\"msg\":\"";
  append_json_text(out, record.text);
  out += record.cut ? "\",\"cut\":true}" : "\"}";
}

}  // namespace arizuko::host
