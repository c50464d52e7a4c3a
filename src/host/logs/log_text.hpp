// Text of strangers made fit for a terminal and for JSON. One pass, no allocation beyond the growth of
// `out`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "arizuko/host/logs/shown.hpp"

namespace arizuko::host {

using Byte = unsigned char;
constexpr Byte byte(char c) { return static_cast<Byte>(c); }

/// For each byte: may it stand as it is, without a look at its neighbours?
using Table = std::array<bool, 256>;
inline constexpr Table stands_in_json =
    [] {  // inside a string; DEL is allowed there, and written \u007f by us
      Table table{};
      for (std::size_t b = 0x20; b < 0x7F; ++b) table[b] = b != '"' && b != '\\';
      return table;
    }();

/// The first place from `at` on whose byte may not stand as it is.
inline std::size_t skip(std::string_view text, std::size_t at, const Table& table) {
  while (at < text.size() && table[byte(text[at])]) ++at;
  return at;
}

/// No control character but TAB, no DEL, nothing beyond ASCII.
bool is_plain(std::string_view text);

/// The length of the well-formed UTF-8 character that begins at `at`, 0 when there is none.
/// Unicode 15, table 3-7: no overlong forms, no surrogates, nothing over U+10FFFF.
std::size_t utf8_length(std::string_view text, std::size_t at);

void append_utf8(std::string& out, std::uint32_t code);
/// `prefix` and two hexadecimal digits.
void append_hex(std::string& out, std::string_view prefix, Byte b);

/// The inside of a JSON string.
void append_json_text(std::string& out, std::string_view text);

}  // namespace arizuko::host
