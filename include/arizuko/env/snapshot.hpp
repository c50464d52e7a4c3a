// One generation of all values that children may see, read at one moment from all sources.
//
// A snapshot is immutable and shared: a child always sees the values of exactly one generation.
// Values are secrets until proven otherwise: nothing here turns one into text for people.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace arizuko::env {

using Generation = std::uint64_t;

struct Value {
  std::string text;
  std::string source;  // "environment", "dotenv:/srv/.../.env", "dir:/etc/arizuko/secrets"
  ~Value();            // wipes the text, whatever the program does with what it frees (src/wiped_memory.cpp)
  bool operator==(const Value&) const = default;
};

struct Snapshot {
  Generation generation = 0;
  std::map<std::string, Value, std::less<>> values;
  /// Keys whose value no variable can hold, or that could not be read: why, as a clause. They have no value,
  /// not even that of a weaker source. The trouble of those who take them, and of nobody else.
  std::map<std::string, std::string, std::less<>> unusable;

  /// The value of `name`, or nullptr when it is not set. An empty value is set.
  const std::string* find(std::string_view name) const;
  /// Set and not empty: the daemons treat empty as unset (contract.md section 1, EnvOr).
  bool has(std::string_view name) const;
  /// Whatever the generation.
  bool same_content(const Snapshot& other) const {
    return values == other.values && unusable == other.unusable;
  }
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace arizuko::env
