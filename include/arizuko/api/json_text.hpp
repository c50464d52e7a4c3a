// Text from outside as a value of Boost.JSON, which writes bytes as they are: what is no UTF-8 becomes
// U+FFFD.
#pragma once

#include <string_view>

#include <boost/json/string.hpp>

#include "arizuko/base/utf8.hpp"

namespace arizuko::api {

inline boost::json::string json_text(std::string_view text) {
  return boost::json::string(base::valid_utf8(text));
}

}  // namespace arizuko::api
