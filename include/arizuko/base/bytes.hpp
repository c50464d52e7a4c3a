// Bytes of text, and what sort of ASCII character one is. No locale has a say here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arizuko::base {

using Byte = std::uint8_t;
constexpr Byte byte(char c) { return static_cast<Byte>(c); }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
/// C0 or DEL.
constexpr bool is_control(char c) { return byte(c) < 0x20 || c == 0x7f; }

inline constexpr std::string_view lower_hex_digits = "0123456789abcdef";
inline constexpr std::string_view upper_hex_digits = "0123456789ABCDEF";

/// 0 to 15; -1 when `c` is no hexadecimal digit.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Two hexadecimal digits. For any kind of string: secrets have their own.
template <class Text>
void append_hex(Text& out, Byte value, std::string_view digits = lower_hex_digits) {
  out += digits[value >> 4U];
  out += digits[value & 15U];
}

}  // namespace arizuko::base
