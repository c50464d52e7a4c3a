#include "arizuko/env/name.hpp"

#include <algorithm>

namespace arizuko::env {
namespace {

constexpr std::size_t max_name_bytes = 128;

// Not <cctype>: its answers depend on the locale.
constexpr bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= max_name_bytes && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

bool is_valid_value(std::string_view value) {
  return value.size() <= max_value_bytes && value.find('\0') == std::string_view::npos;
}

}  // namespace arizuko::env
