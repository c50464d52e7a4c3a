#include "failed_values.hpp"

#include <utility>

#include "arizuko/engine/rotation.hpp"
#include "values_in_force.hpp"

namespace arizuko::engine {

void FailedValues::add(const std::string& key, const env::Snapshot& snapshot, std::string reason,
                       Instant now) {
  std::optional<std::string> value = text_of(snapshot, key);
  Entry& entry = entries_[key];
  if (entry.failures == 0 || entry.value != value) {
    entry = Entry{};
    entry.value = std::move(value);
    entry.generation = snapshot.generation;
    entry.since = now;
  }
  ++entry.failures;
  entry.reason = std::move(reason);
  entry.released = false;
  entry.retry_at = entry.failures == 1 ? std::optional(now + retried_after) : std::nullopt;
}

void FailedValues::offered(const env::Snapshot& snapshot) {
  std::erase_if(entries_,
                [&](const auto& each) { return text_of(snapshot, each.first) != each.second.value; });
}

void FailedValues::borne(const env::Snapshot& snapshot) {
  std::erase_if(entries_,
                [&](const auto& each) { return text_of(snapshot, each.first) == each.second.value; });
}

const FailedValues::Entry* FailedValues::holding(const std::string& key,
                                                 const std::optional<std::string>& value) const {
  const auto entry = entries_.find(key);
  const bool held = entry != entries_.end() && !entry->second.released && entry->second.value == value;
  return held ? &entry->second : nullptr;
}

std::optional<Instant> FailedValues::due() const {
  std::optional<Instant> first;
  for (const auto& [key, entry] : entries_) {
    if (entry.retry_at && (!first || *entry.retry_at < *first)) first = entry.retry_at;
  }
  return first;
}

std::vector<std::string> FailedValues::release_due(Instant now) {
  std::vector<std::string> keys;
  for (auto& [key, entry] : entries_) {
    if (!entry.retry_at || *entry.retry_at > now) continue;
    entry.retry_at.reset();
    entry.released = true;
    keys.push_back(key);
  }
  return keys;
}

std::vector<std::string> FailedValues::release(const std::optional<std::string>& wanted) {
  std::vector<std::string> keys;
  for (auto& [key, entry] : entries_) {
    if (wanted && *wanted != key) continue;
    entry.retry_at.reset();
    entry.released = true;
    keys.push_back(key);
  }
  return keys;
}

}  // namespace arizuko::engine
