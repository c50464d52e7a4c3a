#include "arizuko/yaml/tree.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include <yaml.h>

#include <fmt/format.h>

namespace arizuko::yaml {

namespace {

constexpr std::size_t most_nodes = 200'000;
constexpr std::size_t deepest = 64;

class Event {
 public:
  explicit Event(yaml_parser_t& parser) : valid_(yaml_parser_parse(&parser, &event_) == 1) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() {
    if (valid_) yaml_event_delete(&event_);
  }
  bool valid() const { return valid_; }
  const yaml_event_t& get() const { return event_; }

 private:
  yaml_event_t event_{};
  bool valid_;
};

std::string text_of(const yaml_char_t* text) {
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

/// Builds the tree from libyaml's events, a stack of what is open.
class Builder {
 public:
  explicit Builder(std::string_view text) : text_(text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  ~Builder() { yaml_parser_delete(&parser_); }

  std::expected<File, Refused> run() {
    for (;;) {
      const Event event(parser_);
      if (!event.valid()) return std::unexpected(syntax_error());
      if (event.get().type == YAML_STREAM_END_EVENT) return std::move(made_);
      take(event.get());
      if (problem_) return std::unexpected(*problem_);
    }
  }

 private:
  struct Open {
    Node* node;
    const Node* key = nullptr;  // of a mapping, when its value comes next
    std::set<std::string> keys;
    std::string anchor;
    const Node* merged = nullptr;  // the value of `<<`
  };

  void take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT: anchors_.clear(); break;
      case YAML_SCALAR_EVENT: take_scalar(event); break;
      case YAML_ALIAS_EVENT: take_alias(event); break;
      case YAML_SEQUENCE_START_EVENT:
        open(event, Node::Kind::sequence, text_of(event.data.sequence_start.anchor));
        break;
      case YAML_MAPPING_START_EVENT:
        open(event, Node::Kind::mapping, text_of(event.data.mapping_start.anchor));
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: close(); break;
      case YAML_NO_EVENT:
      case YAML_STREAM_START_EVENT:
      case YAML_STREAM_END_EVENT:
      case YAML_DOCUMENT_END_EVENT: break;
    }
  }

  Node* make(const yaml_event_t& event, Node::Kind kind) {
    if (made_.nodes.size() >= most_nodes)
      refuse(event.start_mark, fmt::format("more than {} nodes", most_nodes));
    Node* node = made_.nodes.emplace_back(std::make_unique<Node>()).get();
    node->kind = kind;
    node->line = static_cast<std::uint32_t>(event.start_mark.line + 1);
    node->column = static_cast<std::uint32_t>(event.start_mark.column + 1);
    return node;
  }

  void take_scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    Node* node = make(event, Node::Kind::scalar);
    node->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    node->quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE;
    const bool null = node->text.empty() || node->text == "~" || node->text == "null";
    if (!node->quoted && null) node->kind = Node::Kind::nothing;
    if (scalar.anchor != nullptr) anchors_[text_of(scalar.anchor)] = node;
    place(node, event.start_mark);
  }

  void take_alias(const yaml_event_t& event) {
    const auto found = anchors_.find(text_of(event.data.alias.anchor));
    // What is still open has no anchor yet: so nothing ever holds itself.
    if (found == anchors_.end())
      return refuse(event.start_mark, "an alias of what is not there, or of what it stands in");
    // Counted too: what is walked through is what is named, not only what stands there.
    if (++aliases_ > most_nodes)
      return refuse(event.start_mark, fmt::format("more than {} aliases", most_nodes));
    place(found->second, event.start_mark);
  }

  void open(const yaml_event_t& event, Node::Kind kind, std::string anchor) {
    if (stack_.size() >= deepest)
      return refuse(event.start_mark, fmt::format("more than {} levels", deepest));
    Node* node = make(event, kind);
    place(node, event.start_mark);
    stack_.push_back({node, nullptr, {}, std::move(anchor)});
  }

  void close() {
    Open& top = stack_.back();
    if (top.merged != nullptr) merge(top);
    if (!top.anchor.empty()) anchors_[top.anchor] = top.node;
    stack_.pop_back();
  }

  /// `<<` names a mapping or a list of them: they fill in the keys that are not there, the first one wins.
  void merge(Open& top) {
    const std::vector<const Node*> alone = {top.merged};
    for (const Node* from : top.merged->kind == Node::Kind::sequence ? top.merged->items : alone) {
      if (from->kind != Node::Kind::mapping)
        return refuse(*top.merged, "a merge key (<<) takes a mapping, or a list of them");
      for (const auto& each : from->entries) {
        if (!top.keys.insert(each.first->text).second) continue;
        // Counted like nodes, or a few lines that name each other would make a great many of them.
        if (++merged_entries_ > most_nodes)
          return refuse(*top.merged, fmt::format("more than {} entries by merge keys", most_nodes));
        top.node->entries.push_back(each);
      }
    }
  }

  void place(const Node* node, const yaml_mark_t& mark) {
    if (stack_.empty()) {
      made_.documents.emplace_back(node);
      return;
    }
    Open& top = stack_.back();
    if (top.node->kind == Node::Kind::sequence) {
      top.node->items.push_back(node);
    } else if (top.key == nullptr) {
      place_key(top, node, mark);
    } else {
      if (is_merge_key(*top.key)) {
        top.merged = node;
      } else {
        top.node->entries.emplace_back(top.key, node);
      }
      top.key = nullptr;
    }
  }

  static bool is_merge_key(const Node& key) { return key.text == "<<" && !key.quoted; }

  void place_key(Open& top, const Node* node, const yaml_mark_t& mark) {
    if (node->kind != Node::Kind::scalar) return refuse(mark, "a key that is no text");
    if (!top.keys.insert(node->text).second)
      return refuse(mark, fmt::format("the key {} stands here twice", node->text));
    top.key = node;
  }

  void refuse(const yaml_mark_t& mark, std::string what) {
    if (!problem_) problem_ = at(mark.line + 1, mark.column + 1, std::move(what));
  }
  void refuse(const Node& node, std::string what) {
    if (!problem_) problem_ = at(node.line, node.column, std::move(what));
  }

  Refused at(std::size_t line, std::size_t column, std::string what) const {
    return {static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column), std::move(what)};
  }

  Refused syntax_error() const {
    const std::string what = parser_.problem == nullptr ? "it cannot be read" : parser_.problem;
    if (parser_.error != YAML_READER_ERROR)
      return at(parser_.problem_mark.line + 1, parser_.problem_mark.column + 1, "no YAML or JSON: " + what);
    // Of bytes that are no text libyaml knows the offset, but no line.
    const std::string_view before = text_.substr(0, parser_.problem_offset);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return at(static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1, before.size() - line_begin + 1,
              fmt::format("no YAML or JSON: {} (at byte {})", what, parser_.problem_offset));
  }

  std::string_view text_;
  std::size_t merged_entries_ = 0;
  std::size_t aliases_ = 0;
  yaml_parser_t parser_{};
  File made_;
  std::vector<Open> stack_;
  std::map<std::string, const Node*> anchors_;
  std::optional<Refused> problem_;
};

const std::pair<const Node*, const Node*>* entry(const Node* node, std::string_view key) {
  if (node == nullptr) return nullptr;
  const auto found =
      std::ranges::find_if(node->entries, [&](const auto& each) { return each.first->text == key; });
  return found == node->entries.end() ? nullptr : &*found;
}

std::optional<std::int64_t> number_of(const Node* node) {
  if (node == nullptr || node->kind != Node::Kind::scalar) return std::nullopt;
  std::int64_t value = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [stop, error] = std::from_chars(node->text.data(), end, value);
  return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

bool is_one_of(const Node* node, std::initializer_list<std::string_view> words) {
  return node != nullptr && node->kind == Node::Kind::scalar && !node->quoted &&
         std::ranges::find(words, node->text) != words.end();
}

}  // namespace

Value Value::operator[](std::string_view key) const {
  const auto* found = entry(node_, key);
  return found == nullptr ? Value{} : Value{found->second};
}

Value Value::key(std::string_view name) const {
  const auto* found = entry(node_, name);
  return found == nullptr ? Value{} : Value{found->first};
}

std::vector<Value> Value::items() const {
  std::vector<Value> all;
  if (node_ == nullptr) return all;
  for (const Node* each : node_->items) all.emplace_back(each);
  return all;
}

std::vector<std::pair<std::string, Value>> Value::entries() const {
  std::vector<std::pair<std::string, Value>> all;
  if (node_ == nullptr) return all;
  for (const auto& [key, value] : node_->entries) all.emplace_back(key->text, Value{value});
  return all;
}

bool Value::is_true() const { return is_one_of(node_, {"true", "True", "TRUE", "yes", "Yes", "on", "On"}); }
bool Value::is_false() const {
  return is_one_of(node_, {"false", "False", "FALSE", "no", "No", "off", "Off"});
}
std::int64_t Value::number(std::int64_t otherwise) const { return number_of(node_).value_or(otherwise); }
bool Value::is_number() const { return node_ != nullptr && !node_->quoted && number_of(node_).has_value(); }

std::expected<File, Refused> parse(std::string_view text) {
  if (text.size() > most_bytes)
    return std::unexpected(Refused{0, 0, fmt::format("it is larger than {} MiB", most_bytes >> 20)});
  // libyaml skips a byte order mark only where it guesses the encoding.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Builder(text).run();
}

}  // namespace arizuko::yaml
