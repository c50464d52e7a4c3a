// A writer of indented JSON. Whoever calls it keeps the order of keys: the output is stable.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/base/json_text.hpp"

namespace arizuko::plan {

class JsonWriter {
 public:
  JsonWriter& open(char bracket);   // '{' or '['
  JsonWriter& close(char bracket);  // '}' or ']'
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text) { return raw(base::json_string(text)); }
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(std::same_as<bool> auto flag) { return raw(flag ? "true" : "false"); }
  JsonWriter& value(std::integral auto number)
    requires(!std::same_as<decltype(number), bool>)
  {
    return raw(std::to_string(number));
  }
  JsonWriter& value(double number);
  JsonWriter& value(const std::vector<std::string>& texts);
  JsonWriter& null() { return raw("null"); }

  /// `"name": value`
  template <class Value>
  JsonWriter& field(std::string_view name, const Value& content) {
    return key(name).value(content);
  }

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& raw(std::string_view text);
  void separate();

  std::string out_;
  std::string indent_ = "\n";
  bool first_ = true;  // nothing stands in the innermost bracket yet
  bool after_key_ = false;
};

}  // namespace arizuko::plan
