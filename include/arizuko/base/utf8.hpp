// UTF-8: which bytes are a character, and how a character is written. Unicode 15, table 3-7: no overlong
// forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace arizuko::base {

/// U+FFFD, which stands for what is no character.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// The length in bytes, 1 to 4, of the character that begins at `at`; 0 when none does. `at` is inside the
/// text.
std::size_t utf8_length(std::string_view text, std::size_t at = 0);

/// `text`, each byte that is part of no character replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

/// `code` is at most U+10FFFF. Half of a surrogate pair is written as it is: that is not UTF-8, but is what
/// some decoders of JSON make of `\ud800`.
void append_utf8(std::string& out, std::uint32_t code);

}  // namespace arizuko::base
