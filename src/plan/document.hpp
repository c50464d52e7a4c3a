// A plan as it was written: the merged tree of values, each with the place that gave it.
//
// Knows TOML and nothing about plans. toml++ is seen by document.cpp alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/load.hpp"

namespace arizuko::plan {

inline constexpr std::size_t most_keys_in_table = 4096;
inline constexpr int most_nesting = 16;

struct Entry;

struct Node {
  enum class Kind { string, integer, number, boolean, date, array, table };
  Kind kind = Kind::table;
  Location where;  // of the value; for a table of its header or key
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<Node> items;     // of an array
  std::vector<Entry> entries;  // of a table, in the order of the file

  /// The entry of this table called `name`, or nullptr; also when this is no table.
  const Entry* find(std::string_view name) const;
};

struct Entry {
  std::string name;
  Location where;          // of the key
  std::uint32_t file = 0;  // which file gave it first: with `where` the order in which things were written
  Node value;
};

/// "a string", "an integer": for messages.
std::string_view kind_name(Node::Kind kind);

/// Parses all files, merges them in order, applies the overrides. On a problem in any of them the
/// tree is not worth looking at: nullopt.
std::optional<Node> read_document(const std::vector<File>& files, const std::vector<Override>& overrides,
                                  Problems& problems);

/// The place of `key` ("service.gated.port"), or of the deepest part of it that was written.
Location locate(const Node& root, std::string_view key);

}  // namespace arizuko::plan
