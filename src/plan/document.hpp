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

/// What a value makes of the one that it is laid over.
enum class Stands {
  on_what_was,  // inheritance.hpp says
  alone,        // it has replaced one of another kind: nothing further down shows through
  for_nothing,  // a `false` that took a table away
};

struct Node {
  enum class Kind { string, integer, number, boolean, date, array, table };
  Kind kind = Kind::table;
  Stands stands = Stands::on_what_was;
  std::uint32_t unit = 0;  // which service, task or template it was written in: index into Document::units
  Location where;          // of the value; for a table of its header or key
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

/// A value that was replaced by one of another kind: for the error that this may lead to.
struct Replaced {
  Location by;
  Location what;
  Node::Kind kind = Node::Kind::table;
};

/// A service, task or template as it was written.
struct Unit {
  std::string key;  // "service.teled"; that of number 0 is empty: what stands in none of them
  Location where;
};

struct Document {
  Node root;
  std::vector<Replaced> replaced;
  std::vector<Unit> units{{}};
  std::vector<Node> idle;  // each "..." that was taken out, for it had nothing to stand for
};

/// `false`, which takes away what was inherited.
inline bool is_false(const Node& node) { return node.kind == Node::Kind::boolean && !node.boolean; }

/// "a string", "an integer": for messages.
std::string_view kind_name(Node::Kind kind);

/// "p.toml:3:5", or the --set that gave it: for messages.
std::string place_text(const Location& where);

/// Parses all files, lays each over those before it, then the overrides (inheritance.hpp). On a problem in
/// any of them the tree is not worth looking at: nullopt.
std::optional<Document> read_document(const std::vector<File>& files, const std::vector<Override>& overrides,
                                      Problems& problems);

/// The place of `key` ("service.gated.port"), or of the deepest part of it that was written.
Location locate(const Node& root, std::string_view key);

}  // namespace arizuko::plan
