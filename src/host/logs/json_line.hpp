// A daemon's JSON line, looked at where it lies: whole or not, and the raw text of its members.
//
// No tree is built and nothing is allocated: this stands in the way that every log line takes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "arizuko/base/bytes.hpp"
#include "arizuko/base/json_text.hpp"
#include "arizuko/base/utf8.hpp"

namespace arizuko::host {

/// Raw text of one member of the outermost object: the key without its quotes, escapes as they are.
struct Field {
  std::string_view key;
  std::string_view value;
};

inline std::uint32_t hex4(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    value = value * 16 + static_cast<std::uint32_t>(base::hex_value(c));
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
    while (pass_plain()) {
      const base::Byte b = base::byte(text_[at_]);
      if (b == '"') {
        inside = text_.substr(begin, at_ - begin);
        ++at_;
        return true;
      }
      if (b < 0x20) return false;
      if (b == '\\') {
        if (!escape()) return false;
      } else {
        const std::size_t length = b < 0x80 ? 1 : base::utf8_length(text_, at_);
        if (length == 0) return false;
        at_ += length;
      }
    }
    return false;
  }

  /// Up to what may not stand as it is; false at the end.
  bool pass_plain() {
    at_ = base::skip(text_, at_, base::stands_in_json);
    return !ended();
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
inline void append_decoded(std::string& out, std::string_view raw) {
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
        base::append_utf8(out, code);
        break;
      }
      default: out += raw[at];  // '"', '\\', '/'
    }
  }
}

/// Whether the raw key says `name`; keys with escapes are rare.
inline bool is_key(std::string_view raw, std::string_view name) {
  if (raw.find('\\') == std::string_view::npos) return raw == name;
  std::string decoded;
  append_decoded(decoded, raw);
  return decoded == name;
}

inline bool is_string(std::string_view value) { return value.starts_with('"'); }
inline std::string_view inside(std::string_view string) { return string.substr(1, string.size() - 2); }

}  // namespace arizuko::host
