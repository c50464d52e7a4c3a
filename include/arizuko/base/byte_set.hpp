// A set of bytes, and the walk over text to the first byte that is not in it: the inner loop of whatever
// escapes.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "arizuko/base/bytes.hpp"

namespace arizuko::base {

using ByteSet = std::array<bool, 256>;

/// The first place from `at` on whose byte is not in `set`, or the end.
inline std::size_t skip(std::string_view text, std::size_t at, const ByteSet& set) {
  while (at < text.size() && set[byte(text[at])]) ++at;
  return at;
}

}  // namespace arizuko::base
