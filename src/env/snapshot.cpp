#include "arizuko/env/snapshot.hpp"

namespace arizuko::env {

const std::string* Snapshot::find(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? nullptr : &found->second.text;
}

bool Snapshot::has(std::string_view name) const {
  const std::string* value = find(name);
  return value != nullptr && !value->empty();
}

}  // namespace arizuko::env
