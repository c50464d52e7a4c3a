#include "json.hpp"

namespace arizuko::agents {

const json::value* value_at(const json::value& root, Path path) {
  const json::value* at = &root;
  for (const auto name : path) {
    const auto* object = at->if_object();
    at = object == nullptr ? nullptr : object->if_contains(boosted(name));
    if (at == nullptr) return nullptr;
  }
  return at;
}

const json::array* list_at(const json::value& root, Path path) {
  const auto* found = value_at(root, path);
  return found == nullptr ? nullptr : found->if_array();
}

std::string text_at(const json::value& root, Path path) {
  const auto* found = value_at(root, path);
  const auto* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::string{} : std::string{text->data(), text->size()};
}

std::int64_t number_at(const json::value& root, Path path, std::int64_t otherwise) {
  const auto* found = value_at(root, path);
  const auto* number = found == nullptr ? nullptr : found->if_int64();
  return number == nullptr ? otherwise : *number;
}

bool true_at(const json::value& root, Path path) {
  const auto* found = value_at(root, path);
  const auto* truth = found == nullptr ? nullptr : found->if_bool();
  return truth != nullptr && *truth;
}

}  // namespace arizuko::agents
