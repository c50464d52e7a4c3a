#include "key_ages.hpp"

#include <utility>

namespace arizuko::host {

void KeyAges::note(const env::SnapshotPtr& in_force, engine::Instant now) {
  if (!in_force || in_force == noted_) return;
  std::map<std::string, engine::Instant, std::less<>> since;
  for (const auto& [key, value] : in_force->values) {
    const std::string* before = noted_ ? noted_->find(key) : nullptr;
    const auto known = since_.find(key);
    const bool same = before != nullptr && *before == value.text && known != since_.end();
    since[key] = same ? known->second : now;
  }
  since_ = std::move(since);
  noted_ = in_force;
}

std::optional<engine::Instant> KeyAges::since(std::string_view key) const {
  const auto known = since_.find(key);
  return known == since_.end() ? std::nullopt : std::optional(known->second);
}

}  // namespace arizuko::host
