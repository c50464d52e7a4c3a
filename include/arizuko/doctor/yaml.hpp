// YAML and JSON documents as a tree in which every node knows its line: for `check --pod`.
//
// By libyaml's parser. Bounds: 4 MiB, 64 levels, 200,000 nodes, as many aliases and as many entries by merge
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

#include "arizuko/plan/problem.hpp"

namespace arizuko::doctor {

inline constexpr std::size_t max_manifest_bytes = 4 * 1024 * 1024;

struct YamlNode {
  enum class Kind { nothing, scalar, sequence, mapping };
  Kind kind = Kind::nothing;
  std::uint32_t line = 0;    // from 1
  std::uint32_t column = 0;  // from 1
  bool quoted = false;       // "8080" is a text, 8080 a number
  std::string text;          // of a scalar
  std::vector<const YamlNode*> items;
  std::vector<std::pair<const YamlNode*, const YamlNode*>> entries;  // keys are scalars
};

/// What a manifest is read by: a node, or the place where one is not. Never null to call.
class Yaml {
 public:
  Yaml() = default;
  explicit Yaml(const YamlNode* node) : node_(node) {}

  explicit operator bool() const { return node_ != nullptr && node_->kind != YamlNode::Kind::nothing; }
  /// The value of a key; empty when there is none.
  Yaml operator[](std::string_view key) const;
  /// The key's own node, for its line.
  Yaml key(std::string_view name) const;
  /// The items of a sequence; none of anything else.
  std::vector<Yaml> items() const;
  std::vector<std::pair<std::string, Yaml>> entries() const;
  /// A scalar's text; empty for what is none.
  std::string text() const { return node_ == nullptr ? std::string{} : node_->text; }
  bool is_text() const { return node_ != nullptr && node_->kind == YamlNode::Kind::scalar; }
  bool is_true() const;
  bool is_false() const;
  /// A whole number, not quoted or quoted; `otherwise` for what is none.
  std::int64_t number(std::int64_t otherwise) const;
  bool is_number() const;
  std::uint32_t line() const { return node_ == nullptr ? 0 : node_->line; }
  std::uint32_t column() const { return node_ == nullptr ? 0 : node_->column; }

 private:
  const YamlNode* node_ = nullptr;
};

/// A file's documents; owns their nodes.
struct YamlFile {
  std::vector<Yaml> documents;
  std::vector<std::unique_ptr<YamlNode>> nodes;
};

/// `file` is for the problem's place only.
std::expected<YamlFile, plan::Problem> parse_yaml(const std::string& file, std::string_view text);

}  // namespace arizuko::doctor
