// Reading what the API server says: a missing or wrongly typed field is empty, never an exception.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

namespace arizuko::agents {

namespace json = boost::json;

using Path = std::initializer_list<std::string_view>;

inline json::string_view boosted(std::string_view text) { return {text.data(), text.size()}; }
inline json::string json_text(std::string_view text) { return json::string{boosted(text)}; }

const json::value* value_at(const json::value& root, Path path);
const json::array* list_at(const json::value& root, Path path);
/// Of a string; anything else is "".
std::string text_at(const json::value& root, Path path);
/// Of a whole number that fits; anything else is `otherwise`.
std::int64_t number_at(const json::value& root, Path path, std::int64_t otherwise = 0);
bool true_at(const json::value& root, Path path);

}  // namespace arizuko::agents
