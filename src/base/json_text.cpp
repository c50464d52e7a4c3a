#include "arizuko/base/json_text.hpp"

#include "arizuko/base/utf8.hpp"

namespace arizuko::base {

void append_json_text(std::string& out, std::string_view text) {
  std::size_t from = 0;
  for (std::size_t at = skip(text, 0, stands_in_json); at < text.size();
       at = skip(text, at, stands_in_json)) {
    const std::size_t length = utf8_length(text, at);
    if (length > 1) {
      at += length;
      continue;
    }
    out.append(text, from, at - from);
    switch (text[at]) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (length == 0) {
          out += replacement_character;
        } else {
          out += "\\u00";
          append_hex(out, byte(text[at]));
        }
    }
    from = ++at;
  }
  out.append(text, from);
}

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  out += '"';
  append_json_text(out, text);
  return out += '"';
}

}  // namespace arizuko::base
