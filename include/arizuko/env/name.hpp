// What may be a variable's name and value.
#pragma once

#include <string_view>

namespace arizuko::env {

/// [A-Za-z_][A-Za-z0-9_]{0,127}: what execve(2) and every shell agree on.
bool is_valid_name(std::string_view name);

/// No NUL (execve would cut there) and at most 128 KiB (Linux: MAX_ARG_STRLEN, execve(2)).
bool is_valid_value(std::string_view value);
inline constexpr std::size_t max_value_bytes = 128 * 1024 - 256;

}  // namespace arizuko::env
