// The forms in which a secret may stand in a line, and the parts of it that are secrets by themselves.
#pragma once

#include <functional>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::env {

using SecretTexts = std::pmr::vector<std::pmr::string>;

/// `text` as it is, then JSON-escaped, percent-encoded, in base64 (both alphabets, whatever stands before and
/// behind it) and in hexadecimal; only forms that differ and have at least min_secret_bytes.
void append_encodings(std::string_view text, SecretTexts& forms);

/// Parts of a secret value that may be shown alone: what is left when a daemon trims its edges, the password
/// of a URL, the lines of a key, the fields of a JSON object, the items of a list. `name` is the variable's.
void append_parts(std::string_view name, std::string_view value, SecretTexts& parts);

/// The password of `scheme://user:password@host`, as written; empty where there is none.
std::string_view password_in_url(std::string_view value);

/// A text without escapes, and where each of its bytes stood; one more origin is that of its end.
struct Unescaped {
  std::string text;
  std::vector<std::size_t> origin;
};

enum class Ending;

/// Undoes JSON's and URLs' escapes, whatever characters were escaped; false, and `result` is of no use, when
/// there are none. Of a text that was cut off, an escape that has only begun at its end stands for nothing:
/// what is before it is the end of the result.
bool unescape(std::string_view text, Unescaped& result, Ending ending);

}  // namespace arizuko::env
