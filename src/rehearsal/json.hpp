// Small helpers over Boost.JSON for what strangers send: nothing throws, missing is empty.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearsal {

namespace json = boost::json;

inline json::string json_text(std::string_view text) { return json::string(text.data(), text.size()); }

inline std::optional<json::object> parse_object(std::string_view text) {
  boost::system::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

inline std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string().data(), value->get_string().size());
}

inline std::vector<std::string> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_array()) return texts;
  for (const auto& item : value->get_array()) {
    if (item.is_string()) texts.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return texts;
}

inline json::array array_of(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.push_back(json_text(text));
  return array;
}

}  // namespace rehearsal
