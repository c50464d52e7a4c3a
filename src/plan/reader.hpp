// Typed reading of one table of the tree. What is missing leaves the default in place; what is wrong
// is reported with the place of the value, what stands there, and what would be right.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "document.hpp"
#include "references.hpp"
#include "values.hpp"

namespace arizuko::plan {

inline constexpr std::size_t most_list_entries = 256;

/// A text of a list, with the place where it stands.
struct Placed {
  std::string text;
  std::string written;  // as it stands in the plan, for messages
  Location where;
};

class Reader {
 public:
  /// `table` may be null or no table: then nothing is found, and everything stays as it is.
  Reader(const Node* table, std::string key, const Scope& scope, Variables variables, Problems& problems)
      : table_(table), key_(std::move(key)), scope_(&scope), variables_(variables), problems_(&problems) {}

  Reader table(std::string_view name) const;
  /// A table that stands somewhere inside this one, as in a list.
  Reader at(const Node& node, std::string key) const;
  const Node* find(std::string_view name) const;
  std::string key_of(std::string_view name) const { return key_ + "." + std::string{name}; }

  void boolean(std::string_view name, bool& out) const;
  void real(std::string_view name, double least, double most, double& out) const;
  template <class Number>
  void integer(std::string_view name, Number least, Number most, Number& out) const {
    if (const auto number = whole(name, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most))) {
      out = static_cast<Number>(*number);
    }
  }

  void duration(std::string_view name, Duration& out, Duration least = Duration{0}) const;
  void text(std::string_view name, std::string& out) const;
  void path(std::string_view name, std::string& out) const { value(name, parse_path, out); }

  /// References replaced, then parsed: `parser` is Parsed<Value>(std::string_view).
  template <class Parser, class Out>
  void value(std::string_view name, Parser parser, Out& out) const {
    if (const Node* node = find(name)) parse_node(*node, key_of(name), parser, out);
  }

  template <class Choice, std::size_t count>
  void choice(std::string_view name, const std::array<std::pair<std::string_view, Choice>, count>& choices,
              Choice& out) const {
    std::string text;
    const Node* node = find(name);
    if (node == nullptr || !string(*node, key_of(name), text)) return;
    for (const auto& [word, choice] : choices) {
      if (word == text) {
        out = choice;
        return;
      }
    }
    std::vector<std::string_view> words;
    for (const auto& each : choices) words.push_back(each.first);
    not_one_of(*node, key_of(name), words);
  }

  /// A list of strings, references replaced. An entry that stands twice is dropped with a warning.
  std::vector<Placed> list(std::string_view name) const;
  std::vector<std::string> strings(std::string_view name) const;  // as they are, twins kept
  template <class Parser>
  std::vector<std::string> parsed_list(std::string_view name, Parser parser) const {
    std::vector<std::string> out;
    for (const Placed& entry : list(name)) {
      auto value = parser(entry.text);
      if (value) {
        out.push_back(std::move(*value));
      } else {
        wrong(entry.where, key_of(name), entry.written, value.error());
      }
    }
    return out;
  }
  std::vector<std::string> variables(std::string_view name) const {
    return parsed_list(name, parse_variable);
  }

  /// A list written where one string could stand: each entry with references replaced.
  std::vector<std::string> strings_of(const Node& node, const std::string& key) const;

  template <class Parser, class Out>
  bool parse_node(const Node& node, const std::string& key, Parser parser, Out& out) const {
    std::string text;
    if (!string(node, key, text)) return false;
    auto value = parser(text);
    if (value) {
      out = std::move(*value);
      return true;
    }
    wrong(node.where, key, node.text, value.error());
    return false;
  }

  /// The string in `node`, references replaced.
  bool string(const Node& node, const std::string& key, std::string& out) const;
  /// Likewise, but values of the environment stay holes.
  bool holed(const Node& node, const std::string& key, Template& out) const;

  /// `"5 sec" is not a duration; write ...`: quotes what stands in the plan, never a resolved value.
  void wrong(const Location& where, std::string key, std::string_view written, const Wrong& wrong) const;
  void report(const Location& where, std::string key, std::string what, std::string fix) const;
  void warn(const Location& where, std::string key, std::string what, std::string fix) const;
  bool is(const Node& node, Node::Kind kind, const std::string& key, std::string_view example) const;

  const Scope& scope() const { return *scope_; }
  Problems& problems() const { return *problems_; }

 private:
  bool plain(const Node& node, const std::string& key) const;
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most) const;
  void not_one_of(const Node& node, const std::string& key, const std::vector<std::string_view>& words) const;
  std::vector<Placed> placed(const Node& node, const std::string& key) const;

  const Node* table_;
  std::string key_;
  const Scope* scope_;
  Variables variables_;
  Problems* problems_;
};

}  // namespace arizuko::plan
