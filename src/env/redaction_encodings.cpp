#include "redaction_encodings.hpp"

#include <algorithm>
#include <cstdint>

#include "arizuko/base/bytes.hpp"
#include "arizuko/base/utf8.hpp"
#include "arizuko/env/redaction.hpp"

namespace arizuko::env {
namespace {

using Text = std::pmr::string;

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view lower_digits = base::lower_hex_digits;
constexpr std::string_view upper_digits = base::upper_hex_digits;

using base::append_hex;
using base::append_utf8;
using base::byte;
using base::hex_value;
using base::is_alphanumeric;

// -----------------------------------------------------------------------------------------------
// JSON

enum class JsonStyle {
  minimal,  // JavaScript, Python with ensure_ascii=False, slog
  html,     // Go's encoding/json: also < > & and U+2028
  slash,    // PHP and some C libraries: also '/'
};

void append_json_escaped(Text& out, std::string_view text, JsonStyle style) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      default: break;
    }
    const bool html = style == JsonStyle::html && (c == '<' || c == '>' || c == '&');
    if (byte(c) < 0x20 || html) {
      out += "\\u00";
      append_hex(out, byte(c), lower_digits);
    } else if (c == '/' && style == JsonStyle::slash) {
      out += "\\/";
    } else {
      out += c;
    }
  }
}

// -----------------------------------------------------------------------------------------------
// URLs

enum class PercentStyle {
  path,   // JavaScript's encodeURIComponent: !'()* stay
  query,  // Go's QueryEscape and HTML forms: a blank is '+'
};

void append_percent_encoded(Text& out, std::string_view text, PercentStyle style, std::string_view digits) {
  const std::string_view stays = style == PercentStyle::path ? "-_.~!'()*" : "-_.~";
  for (const char c : text) {
    if (is_alphanumeric(c) || stays.contains(c)) {
      out += c;
    } else if (c == ' ' && style == PercentStyle::query) {
      out += '+';
    } else {
      out += '%';
      append_hex(out, byte(c), digits);
    }
  }
}

// -----------------------------------------------------------------------------------------------
// base64

/// The characters that `text` decides alone when `before` bytes (0 to 2) stand before it in its group of
/// three.
void append_base64(Text& out, std::string_view text, std::size_t before, std::string_view alphabet) {
  const std::size_t first_bit = before * 8;
  const std::size_t end_bit = (before + text.size()) * 8;
  const auto bit_at = [&](std::size_t bit) { return (byte(text[bit / 8 - before]) >> (7 - bit % 8)) & 1; };
  for (std::size_t bit = (first_bit + 5) / 6 * 6; bit + 6 <= end_bit; bit += 6) {
    std::size_t index = 0;
    for (std::size_t i = 0; i < 6; ++i) index = index * 2 + static_cast<std::size_t>(bit_at(bit + i));
    out += alphabet[index];
  }
}

/// All of `text` alone, with its last bits: else a character would stay behind. Padding is no secret.
void append_whole_base64(Text& out, std::string_view text, std::string_view alphabet) {
  append_base64(out, text, 0, alphabet);
  const std::size_t rest = text.size() % 3;
  if (rest == 1) out += alphabet[(byte(text.back()) & 3U) << 4];
  if (rest == 2) out += alphabet[(byte(text.back()) & 15U) << 2];
}

void add(SecretTexts& forms, std::size_t first, auto&& fill) {
  Text& form = forms.emplace_back();
  fill(form);
  const bool known = std::ranges::find(forms.begin() + static_cast<std::ptrdiff_t>(first), forms.end() - 1,
                                       form) != forms.end() - 1;
  if (known || form.size() < min_secret_bytes) forms.pop_back();
}

// -----------------------------------------------------------------------------------------------
// Parts

void add_part(SecretTexts& parts, std::string_view part) {
  if (part.size() >= min_secret_bytes && std::ranges::find(parts, part) == parts.end())
    parts.emplace_back(part);
}

bool looks_secret(std::string_view name, std::string_view text) {
  return text.size() >= min_secret_bytes &&
         (name_says_secret(name) || estimated_bits(text) >= min_secret_bits);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

/// Without what daemons take off the edges of a value that they read: blanks, line ends, quotes, a byte order
/// mark.
std::string_view without_edges(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  constexpr std::string_view edge = " \t\r\n\v\f\"'`";
  for (std::size_t before = text.size() + 1; text.size() < before;) {
    before = text.size();
    while (!text.empty() && edge.contains(text.front())) text.remove_prefix(1);
    while (!text.empty() && edge.contains(text.back())) text.remove_suffix(1);
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  }
  return text;
}

void add_lines(std::string_view name, std::string_view value, SecretTexts& parts) {
  const bool key = value.contains("PRIVATE KEY-----");
  while (!value.empty()) {
    const std::size_t end = value.find('\n');
    const std::string_view line = trimmed(value.substr(0, end));
    value = end == std::string_view::npos ? std::string_view{} : value.substr(end + 1);
    if (line.starts_with("-----")) continue;
    if (key || looks_secret(name, line)) add_part(parts, line);
  }
}

/// Each `"name": "text"` of a JSON object, at any depth.
void add_json_fields(std::string_view json, SecretTexts& parts) {
  std::string name;
  for (std::size_t at = json.find('"'); at != std::string_view::npos; at = json.find('"', at)) {
    std::size_t end = ++at;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    if (end >= json.size()) return;
    const std::string_view raw = json.substr(at, end - at);
    at = json.find_first_not_of(" \t\r\n", end + 1);
    if (at == std::string_view::npos) return;
    if (json[at] == ':') {
      name.assign(raw);
      std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      });
      continue;
    }
    Unescaped unescaped;
    const std::string_view text =
        unescape(raw, unescaped, Ending::whole) ? std::string_view(unescaped.text) : raw;
    if (text.contains('\n')) {
      add_lines(name, text, parts);
    } else if (looks_secret(name, text)) {
      add_part(parts, text);
    }
  }
}

/// `service:x=KEY,service:y=KEY` and the like.
void add_items(std::string_view value, SecretTexts& parts) {
  while (!value.empty()) {
    const std::size_t end = value.find_first_of(",;:= \t\"'");
    const std::string_view item = value.substr(0, end);
    value = end == std::string_view::npos ? std::string_view{} : value.substr(end + 1);
    if (estimated_bits(item) >= min_secret_bits) add_part(parts, item);
  }
}

/// `digits` hexadecimal digits at `at`, or -1.
long hex_number(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  long value = 0;
  for (const char c : text.substr(at, digits)) {
    const int digit = hex_value(c);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// The escape that begins with the '\\' at `at`: appends what it stands for, returns its length, or 0.
std::size_t take_json_escape(std::string_view text, std::size_t at, std::string& out) {
  if (at + 1 >= text.size()) return 0;
  switch (text[at + 1]) {
    case '"':
    case '\\':
    case '/': out += text[at + 1]; return 2;
    case 'n': out += '\n'; return 2;
    case 'r': out += '\r'; return 2;
    case 't': out += '\t'; return 2;
    case 'b': out += '\b'; return 2;
    case 'f': out += '\f'; return 2;
    case 'u': break;
    default: return 0;
  }
  const long high = hex_number(text, at + 2, 4);
  if (high < 0) return 0;
  const bool pair = high >= 0xD800 && high < 0xDC00 && text.substr(at + 6).starts_with("\\u");
  const long low = pair ? hex_number(text, at + 8, 4) : -1;
  const bool joined = low >= 0xDC00 && low < 0xE000;
  const long code = joined ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : high;
  append_utf8(out, static_cast<std::uint32_t>(code));
  return joined ? 12 : 6;
}

}  // namespace

void append_encodings(std::string_view text, SecretTexts& forms) {
  const std::size_t first = forms.size();
  add(forms, first, [&](Text& out) { out = text; });
  for (const JsonStyle style : {JsonStyle::minimal, JsonStyle::html, JsonStyle::slash}) {
    add(forms, first, [&](Text& out) { append_json_escaped(out, text, style); });
  }
  if (text.size() > max_encoded_bytes) return;
  for (const PercentStyle style : {PercentStyle::path, PercentStyle::query}) {
    for (const std::string_view digits : {upper_digits, lower_digits}) {
      add(forms, first, [&](Text& out) { append_percent_encoded(out, text, style, digits); });
    }
  }
  for (const std::string_view alphabet : {base64_alphabet, url_alphabet}) {
    for (const std::size_t before : {0U, 1U, 2U}) {
      add(forms, first, [&](Text& out) { append_base64(out, text, before, alphabet); });
    }
    add(forms, first, [&](Text& out) { append_whole_base64(out, text, alphabet); });
  }
  for (const std::string_view digits : {lower_digits, upper_digits}) {
    add(forms, first, [&](Text& out) {
      for (const char c : text) append_hex(out, byte(c), digits);
    });
  }
}

void append_parts(std::string_view name, std::string_view value, SecretTexts& parts) {
  add_part(parts, without_edges(value));
  if (const std::string_view password = password_in_url(value); !password.empty()) {
    add_part(parts, password);
    Unescaped decoded;
    if (unescape(password, decoded, Ending::whole)) add_part(parts, decoded.text);
  }
  const std::string_view text = trimmed(value.substr(std::min(value.find_first_not_of("\n"), value.size())));
  if (text.starts_with('{') || text.starts_with('[')) {
    add_json_fields(text, parts);
  } else if (text.contains('\n')) {
    add_lines(name, text, parts);
  } else {
    add_items(text, parts);
  }
}

// RFC 3986, 3.2.1: userinfo ends at the '@' before the first '/', '?' or '#' of what follows "://". A
// password may hold an '@' that nobody encoded: the last one counts.
std::string_view password_in_url(std::string_view value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = value.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?# \t\r\n"));
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::size_t colon = authority.substr(0, at).find(':');
  return colon == std::string_view::npos ? std::string_view{} : authority.substr(colon + 1, at - colon - 1);
}

namespace {

/// Where an escape that has only begun lies at the end of `text`; its size where there is none.
std::size_t begun_escape(std::string_view text) {
  constexpr std::size_t longest = 12;  // of a surrogate pair
  std::size_t found = text.size();
  for (std::size_t size = 1; size <= std::min(longest - 1, text.size()); ++size) {
    const std::string_view end = text.substr(text.size() - size);
    const auto digits = [](std::string_view some) {
      return std::ranges::all_of(some, [](char c) { return hex_value(c) >= 0; });
    };
    const bool percent = end.front() == '%' && size <= 2 && digits(end.substr(1));
    const bool json = end == "\\" || (size <= 5 && end.starts_with("\\u") && digits(end.substr(2)));
    const long high = end.starts_with("\\u") ? hex_number(end, 2, 4) : -1;
    const std::string_view low = end.substr(std::min<std::size_t>(end.size(), 6));
    const bool half = high >= 0xD800 && high < 0xDC00 &&
                      (low.size() < 2 ? std::string_view("\\u").starts_with(low)
                                      : low.starts_with("\\u") && digits(low.substr(2)));
    if (percent || json || half) found = text.size() - size;
  }
  // A backslash that is itself escaped begins nothing.
  std::size_t slashes = 0;
  while (slashes < found && found < text.size() && text[found] == '\\' && text[found - slashes - 1] == '\\')
    ++slashes;
  return slashes % 2 == 0 ? found : text.size();
}

}  // namespace

bool unescape(std::string_view whole, Unescaped& result, Ending ending) {
  const std::string_view text = ending == Ending::cut ? whole.substr(0, begun_escape(whole)) : whole;
  const auto next_escape = [&](std::size_t at) {
    while (at < text.size() && text[at] != '\\' && text[at] != '%') ++at;
    return at;
  };
  std::string& out = result.text;
  out.clear();
  result.origin.clear();
  std::size_t from = 0;  // what is before `at` and not yet written
  const auto keep_up_to = [&](std::size_t at) {
    out += text.substr(from, at - from);
    for (; from < at; ++from) result.origin.push_back(from);
  };
  for (std::size_t at = next_escape(0); at < text.size(); at = next_escape(at)) {
    keep_up_to(at);
    std::size_t size = 0;
    if (text[at] == '\\') {
      size = take_json_escape(text, at, out);
    } else if (const long value = hex_number(text, at + 1, 2); value >= 0) {
      out += static_cast<char>(static_cast<std::uint8_t>(value));
      size = 3;
    }
    result.origin.resize(out.size(), at);
    at += std::max<std::size_t>(size, 1);
    if (size > 0) from = at;
  }
  if (out.size() == from && text.size() == whole.size()) return false;  // nothing became shorter
  keep_up_to(text.size());
  result.origin.push_back(whole.size());
  return true;
}

}  // namespace arizuko::env
