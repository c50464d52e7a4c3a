// Text as JSON has it between quotes (RFC 8259). Always valid UTF-8: a byte that is part of no character
// becomes U+FFFD. One pass, no allocation beyond the growth of `out`.
#pragma once

#include <string>
#include <string_view>

#include "arizuko/base/byte_set.hpp"

namespace arizuko::base {

/// What may stand inside a string as it is, without a look at its neighbours. DEL may, by the RFC; it is
/// written
/// \u007f, for a terminal's sake.
inline constexpr ByteSet stands_in_json = [] {
  ByteSet set{};
  for (std::size_t b = 0x20; b < 0x7F; ++b) set[b] = b != '"' && b != '\\';
  return set;
}();

/// The inside of a JSON string.
void append_json_text(std::string& out, std::string_view text);

/// With its quotes.
std::string json_string(std::string_view text);

}  // namespace arizuko::base
