// Percent-encoding of a path segment or a query value (RFC 3986, section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace arizuko::base {

/// Everything but letters, digits and "-._~".
std::string percent_encoded(std::string_view text);

/// Nothing when a '%' is not followed by two hexadecimal digits. A '+' stays one.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace arizuko::base
