// YAML and JSON documents as a tree in which every node knows its line: manifests for `check --pod`, and
// kubeconfig files. Text in, tree out: it opens nothing. libyaml is seen by tree.cpp alone.
//
// Bounds: 4 MiB, 64 levels, 200,000 nodes, as many aliases and as many entries by merge
// keys (`<<`); an alias is the node that it names, not a copy, so nothing grows. Refused with line and
// column: syntax errors, an alias of what it stands in, two equal keys in a mapping.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arizuko::yaml {

inline constexpr std::size_t most_bytes = 4 * 1024 * 1024;

struct Node {
  enum class Kind { nothing, scalar, sequence, mapping };
  Kind kind = Kind::nothing;
  std::uint32_t line = 0;    // from 1
  std::uint32_t column = 0;  // from 1
  bool quoted = false;       // "8080" is a text, 8080 a number
  std::string text;          // of a scalar
  std::vector<const Node*> items;
  std::vector<std::pair<const Node*, const Node*>> entries;  // keys are scalars
};

/// What a manifest is read by: a node, or the place where one is not. Never null to call.
class Value {
 public:
  Value() = default;
  explicit Value(const Node* node) : node_(node) {}

  explicit operator bool() const { return node_ != nullptr && node_->kind != Node::Kind::nothing; }
  /// The value of a key; empty when there is none.
  Value operator[](std::string_view key) const;
  /// The key's own node, for its line.
  Value key(std::string_view name) const;
  /// The items of a sequence; none of anything else.
  std::vector<Value> items() const;
  std::vector<std::pair<std::string, Value>> entries() const;
  /// A scalar's text; empty for what is none.
  std::string text() const { return node_ == nullptr ? std::string{} : node_->text; }
  bool is_text() const { return node_ != nullptr && node_->kind == Node::Kind::scalar; }
  bool is_true() const;
  bool is_false() const;
  /// A whole number, not quoted or quoted; `otherwise` for what is none.
  std::int64_t number(std::int64_t otherwise) const;
  bool is_number() const;
  std::uint32_t line() const { return node_ == nullptr ? 0 : node_->line; }
  std::uint32_t column() const { return node_ == nullptr ? 0 : node_->column; }

 private:
  const Node* node_ = nullptr;
};

/// A file's documents; owns their nodes.
struct File {
  std::vector<Value> documents;
  std::vector<std::unique_ptr<Node>> nodes;
};

/// Why a text is none, and where; line 0: it is about the whole.
struct Refused {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string what;
};

std::expected<File, Refused> parse(std::string_view text);

}  // namespace arizuko::yaml
