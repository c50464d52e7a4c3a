#include "log_text.hpp"

#include <algorithm>

namespace arizuko::host {

bool is_plain(std::string_view text) {
  // Counted in one go, without an early exit, so that it is vectorised.
  unsigned odd = 0;
  for (const char c : text) {
    const Byte b = byte(c);
    odd |= static_cast<unsigned>((b < 0x20) & (b != '\t')) | static_cast<unsigned>(b >= 0x7f);
  }
  return odd == 0;
}

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

void append_hex(std::string& out, std::string_view prefix, Byte b) {
  constexpr char hex_digits[] = "0123456789abcdef";
  out += prefix;
  out += hex_digits[b >> 4];
  out += hex_digits[b & 15];
}

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

}  // namespace arizuko::host
