#include "arizuko/base/shown.hpp"

#include <algorithm>

#include "arizuko/base/byte_set.hpp"
#include "arizuko/base/utf8.hpp"

namespace arizuko::base {

namespace {

constexpr ByteSet stands_on_console = [] {
  ByteSet set{};
  for (std::size_t b = 0x20; b < 0x7F; ++b) set[b] = true;
  set['\t'] = true;
  return set;
}();

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

/// U+0080 to U+009F, in the two bytes that UTF-8 has for them.
bool is_c1(std::string_view text, std::size_t at, std::size_t length) {
  return length == 2 && byte(text[at]) == 0xC2 && byte(text[at + 1]) < 0xA0;
}

/// The length of the sequence at `at` that selects a colour, 0 when there is none: ESC [ digits and
/// semicolons m, as this program writes it. Not 5 (blinking), 8 (hidden) and the like.
std::size_t colour_length(std::string_view text, std::size_t at) {
  for (const std::string_view ours :
       {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m",
        "\x1b[36m", "\x1b[92m", "\x1b[94m", "\x1b[95m", "\x1b[96m"}) {
    if (text.substr(at).starts_with(ours)) return ours.size();
  }
  return 0;
}

}  // namespace

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
    const bool c1 = is_c1(text, at, length);
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
      out += "\\x";
      append_hex(out, c1 ? byte(text[at + 1]) : b);
    }
    from = at += std::max<std::size_t>(length, 1);
  }
  out.append(text, from);
}

std::string shown(std::string_view text) {
  std::string out;
  append_shown(out, text);
  return out;
}

std::string terminal_text(std::string_view text, Paint paint) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t plain = skip(text, at, stands_on_console);
    out.append(text, at, plain - at);
    at = plain;
    if (at == text.size()) break;
    const std::size_t colour = paint == Paint::colours ? colour_length(text, at) : 0;
    const std::size_t length = utf8_length(text, at);
    const bool c1 = is_c1(text, at, length);
    if (text[at] == '\n' || colour > 0 || (length > 1 && !c1)) {
      const std::size_t size = std::max(length, colour);
      out.append(text, at, size);
      at += size;
    } else {
      out += length == 0 ? "\\x" : "\\u00";
      append_hex(out, byte(text[c1 ? at + 1 : at]));
      at += std::max<std::size_t>(length, 1);
    }
  }
  return out;
}

}  // namespace arizuko::base
