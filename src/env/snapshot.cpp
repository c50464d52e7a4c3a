#include "arizuko/env/snapshot.hpp"

namespace arizuko::env {

Value::~Value() {
  // Through volatile, or the compiler leaves out writes that nobody reads.
  volatile char* const text_bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) text_bytes[i] = 0;
}

const std::string* Snapshot::find(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? nullptr : &found->second.text;
}

bool Snapshot::has(std::string_view name) const {
  const std::string* value = find(name);
  return value != nullptr && !value->empty();
}

}  // namespace arizuko::env
