#include "arizuko/env/name.hpp"

#include <algorithm>

#include "arizuko/base/bytes.hpp"

namespace arizuko::env {
namespace {

constexpr std::size_t max_name_bytes = 128;

constexpr bool is_letter(char c) { return base::is_lower(c) || base::is_upper(c) || c == '_'; }

}  // namespace

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= max_name_bytes && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || base::is_digit(c); });
}

bool is_valid_value(std::string_view value) {
  return value.size() <= max_value_bytes && value.find('\0') == std::string_view::npos;
}

}  // namespace arizuko::env
