#include "arizuko/doctor/yaml.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include <yaml.h>

#include <fmt/format.h>

namespace arizuko::doctor {

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
  Builder(const std::string& file, std::string_view text) : file_(file), text_(text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  ~Builder() { yaml_parser_delete(&parser_); }

  std::expected<YamlFile, plan::Problem> run() {
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
    YamlNode* node;
    const YamlNode* key = nullptr;  // of a mapping, when its value comes next
    std::set<std::string> keys;
    std::string anchor;
    const YamlNode* merged = nullptr;  // the value of `<<`
  };

  void take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT: anchors_.clear(); break;
      case YAML_SCALAR_EVENT: take_scalar(event); break;
      case YAML_ALIAS_EVENT: take_alias(event); break;
      case YAML_SEQUENCE_START_EVENT:
        open(event, YamlNode::Kind::sequence, text_of(event.data.sequence_start.anchor));
        break;
      case YAML_MAPPING_START_EVENT:
        open(event, YamlNode::Kind::mapping, text_of(event.data.mapping_start.anchor));
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: close(); break;
      case YAML_NO_EVENT:
      case YAML_STREAM_START_EVENT:
      case YAML_STREAM_END_EVENT:
      case YAML_DOCUMENT_END_EVENT: break;
    }
  }

  YamlNode* make(const yaml_event_t& event, YamlNode::Kind kind) {
    if (made_.nodes.size() >= most_nodes)
      refuse(event.start_mark, fmt::format("more than {} nodes", most_nodes));
    YamlNode* node = made_.nodes.emplace_back(std::make_unique<YamlNode>()).get();
    node->kind = kind;
    node->line = static_cast<std::uint32_t>(event.start_mark.line + 1);
    node->column = static_cast<std::uint32_t>(event.start_mark.column + 1);
    return node;
  }

  void take_scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    YamlNode* node = make(event, YamlNode::Kind::scalar);
    node->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    node->quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE;
    const bool null = node->text.empty() || node->text == "~" || node->text == "null";
    if (!node->quoted && null) node->kind = YamlNode::Kind::nothing;
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

  void open(const yaml_event_t& event, YamlNode::Kind kind, std::string anchor) {
    if (stack_.size() >= deepest)
      return refuse(event.start_mark, fmt::format("more than {} levels", deepest));
    YamlNode* node = make(event, kind);
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
    const std::vector<const YamlNode*> alone = {top.merged};
    for (const YamlNode* from : top.merged->kind == YamlNode::Kind::sequence ? top.merged->items : alone) {
      if (from->kind != YamlNode::Kind::mapping)
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

  void place(const YamlNode* node, const yaml_mark_t& mark) {
    if (stack_.empty()) {
      made_.documents.emplace_back(node);
      return;
    }
    Open& top = stack_.back();
    if (top.node->kind == YamlNode::Kind::sequence) {
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

  static bool is_merge_key(const YamlNode& key) { return key.text == "<<" && !key.quoted; }

  void place_key(Open& top, const YamlNode* node, const yaml_mark_t& mark) {
    if (node->kind != YamlNode::Kind::scalar) return refuse(mark, "a key that is no text");
    if (!top.keys.insert(node->text).second)
      return refuse(mark, fmt::format("the key {} stands here twice", node->text));
    top.key = node;
  }

  void refuse(const yaml_mark_t& mark, std::string what) {
    if (!problem_) problem_ = at(mark.line + 1, mark.column + 1, std::move(what));
  }
  void refuse(const YamlNode& node, std::string what) {
    if (!problem_) problem_ = at(node.line, node.column, std::move(what));
  }

  plan::Problem at(std::size_t line, std::size_t column, std::string what) const {
    return {plan::Severity::error,
            {file_, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column)},
            "",
            std::move(what),
            text_.contains("{{") ? "give the rendered manifest, not a template: helm template CHART" : ""};
  }

  plan::Problem syntax_error() const {
    const std::string what = parser_.problem == nullptr ? "it cannot be read" : parser_.problem;
    if (parser_.error != YAML_READER_ERROR)
      return at(parser_.problem_mark.line + 1, parser_.problem_mark.column + 1, "no YAML or JSON: " + what);
    // Of bytes that are no text libyaml knows the offset, but no line.
    const std::string_view before = text_.substr(0, parser_.problem_offset);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return at(static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1, before.size() - line_begin + 1,
              fmt::format("no YAML or JSON: {} (at byte {})", what, parser_.problem_offset));
  }

  const std::string& file_;
  std::string_view text_;
  std::size_t merged_entries_ = 0;
  std::size_t aliases_ = 0;
  yaml_parser_t parser_{};
  YamlFile made_;
  std::vector<Open> stack_;
  std::map<std::string, const YamlNode*> anchors_;
  std::optional<plan::Problem> problem_;
};

const std::pair<const YamlNode*, const YamlNode*>* entry(const YamlNode* node, std::string_view key) {
  if (node == nullptr) return nullptr;
  const auto found =
      std::ranges::find_if(node->entries, [&](const auto& each) { return each.first->text == key; });
  return found == node->entries.end() ? nullptr : &*found;
}

std::optional<std::int64_t> number_of(const YamlNode* node) {
  if (node == nullptr || node->kind != YamlNode::Kind::scalar) return std::nullopt;
  std::int64_t value = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [stop, error] = std::from_chars(node->text.data(), end, value);
  return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

bool is_one_of(const YamlNode* node, std::initializer_list<std::string_view> words) {
  return node != nullptr && node->kind == YamlNode::Kind::scalar && !node->quoted &&
         std::ranges::find(words, node->text) != words.end();
}

}  // namespace

Yaml Yaml::operator[](std::string_view key) const {
  const auto* found = entry(node_, key);
  return found == nullptr ? Yaml{} : Yaml{found->second};
}

Yaml Yaml::key(std::string_view name) const {
  const auto* found = entry(node_, name);
  return found == nullptr ? Yaml{} : Yaml{found->first};
}

std::vector<Yaml> Yaml::items() const {
  std::vector<Yaml> all;
  if (node_ == nullptr) return all;
  for (const YamlNode* each : node_->items) all.emplace_back(each);
  return all;
}

std::vector<std::pair<std::string, Yaml>> Yaml::entries() const {
  std::vector<std::pair<std::string, Yaml>> all;
  if (node_ == nullptr) return all;
  for (const auto& [key, value] : node_->entries) all.emplace_back(key->text, Yaml{value});
  return all;
}

bool Yaml::is_true() const { return is_one_of(node_, {"true", "True", "TRUE", "yes", "Yes", "on", "On"}); }
bool Yaml::is_false() const {
  return is_one_of(node_, {"false", "False", "FALSE", "no", "No", "off", "Off"});
}
std::int64_t Yaml::number(std::int64_t otherwise) const { return number_of(node_).value_or(otherwise); }
bool Yaml::is_number() const { return node_ != nullptr && !node_->quoted && number_of(node_).has_value(); }

std::expected<YamlFile, plan::Problem> parse_yaml(const std::string& file, std::string_view text) {
  if (text.size() > max_manifest_bytes) {
    return std::unexpected(plan::Problem{plan::Severity::error,
                                         {file, 0, 0},
                                         "",
                                         fmt::format("it is larger than {} MiB", max_manifest_bytes >> 20),
                                         ""});
  }
  // libyaml skips a byte order mark only where it guesses the encoding.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Builder(file, text).run();
}

}  // namespace arizuko::doctor
