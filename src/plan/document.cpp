// toml++ 3.3.0 reaches its assertions with malformed input and, compiled with NDEBUG, assumes that
// they hold. So: no NDEBUG in this file, assertions that do nothing, and a look at the text first.
#undef NDEBUG
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <fmt/format.h>

#include <algorithm>

#include "document.hpp"
#include "inheritance.hpp"
#include "values.hpp"

namespace arizuko::plan {
namespace {

void refuse(Problems& problems, Location where, std::string what, std::string fix) {
  problems.push_back({Severity::error, std::move(where), "", std::move(what), std::move(fix)});
}

// -------------------------------------------------------------------------------------------------
// Before the parser: characters and nesting

/// Walks over the text as TOML's lexer would and finds what must not reach the parser: control
/// characters, non-ASCII bytes outside strings and comments, and nesting that would exhaust the stack.
class Inspection {
 public:
  explicit Inspection(std::string_view text) : text_(text) {}

  struct Finding {
    std::uint32_t line;
    std::uint32_t column;
    std::string what;
    std::string fix;
  };

  std::optional<Finding> run() {
    while (at_ < text_.size() && !finding_) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        look_outside(c);
        advance();
      }
    }
    return std::move(finding_);
  }

 private:
  void look_outside(char c) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return find("a character outside ASCII", "put it into a string or a comment");
    }
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    dots_ = c == '.' ? dots_ + 1 : (c == '=' || c == ',' || c == '\n' || c == '[' || c == '{') ? 0 : dots_;
    if (depth_ > most_nesting || dots_ > most_nesting) {
      find(fmt::format("nested more than {} deep", most_nesting), "a plan needs no more than 5");
    }
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n' && !finding_) advance();
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool multi_line = text_.substr(at_).starts_with(three);
    advance(multi_line ? 3 : 1);
    while (at_ < text_.size() && !finding_) {
      if (!multi_line && text_[at_] == '\n') return;  // the parser says what is wrong
      if (quote == '"' && text_[at_] == '\\') {
        advance(2);
      } else if (multi_line && text_.substr(at_).starts_with(three)) {
        advance(3);
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) advance();
        return;
      } else if (!multi_line && text_[at_] == quote) {
        return advance();
      } else {
        advance();
      }
    }
  }

  void advance(int bytes = 1) {
    for (; bytes > 0 && at_ < text_.size(); --bytes, ++at_) {
      const char c = text_[at_];
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\r' && c != '\n')) {
        find(fmt::format("a control character (byte 0x{:02x})", byte),
             "remove it; in a string write \\u00XX");
      }
      if (c == '\n') {
        ++line_;
        column_ = 1;
      } else if (byte < 0x80 || byte >= 0xc0) {  // not a continuation byte of UTF-8
        ++column_;
      }
    }
  }

  void find(std::string what, std::string fix) {
    if (!finding_) finding_ = Finding{line_, column_, std::move(what), std::move(fix)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
  int depth_ = 0;
  int dots_ = 0;
  std::optional<Finding> finding_;
};

// -------------------------------------------------------------------------------------------------
// From toml++'s tree to ours

Location place(const std::string& file, const toml::source_region& region) {
  return {file, static_cast<std::uint32_t>(region.begin.line),
          static_cast<std::uint32_t>(region.begin.column)};
}

class Conversion {
 public:
  Conversion(const std::string& file, std::uint32_t index, Problems& problems)
      : file_(file), index_(index), problems_(problems) {}

  Node convert(const toml::node& source) {
    Node node;
    node.where = place(file_, source.source());
    switch (source.type()) {
      case toml::node_type::table: convert_table(*source.as_table(), node); break;
      case toml::node_type::array:
        node.kind = Node::Kind::array;
        for (const toml::node& item : *source.as_array()) node.items.push_back(convert(item));
        break;
      case toml::node_type::string:
        node.kind = Node::Kind::string;
        node.text = source.as_string()->get();
        break;
      case toml::node_type::integer:
        node.kind = Node::Kind::integer;
        node.integer = source.as_integer()->get();
        break;
      case toml::node_type::floating_point:
        node.kind = Node::Kind::number;
        node.number = source.as_floating_point()->get();
        break;
      case toml::node_type::boolean:
        node.kind = Node::Kind::boolean;
        node.boolean = source.as_boolean()->get();
        break;
      case toml::node_type::none:
      case toml::node_type::date:
      case toml::node_type::time:
      case toml::node_type::date_time: node.kind = Node::Kind::date; break;
    }
    return node;
  }

 private:
  void convert_table(const toml::table& source, Node& node) {
    node.kind = Node::Kind::table;
    if (source.size() > most_keys_in_table) {
      return refuse(problems_, node.where, fmt::format("a table with more than {} keys", most_keys_in_table),
                    "split it");
    }
    for (const auto& [key, value] : source) {
      node.entries.push_back({std::string{key.str()}, place(file_, key.source()), index_, convert(value)});
    }
    // toml++ sorts by name; what was written first comes first.
    std::ranges::sort(node.entries, [](const Entry& a, const Entry& b) {
      return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
    });
  }

  const std::string& file_;
  std::uint32_t index_;
  Problems& problems_;
};

/// "Error while parsing key-value pair: expected value" to "syntax error in key-value pair: expected value".
std::string syntax_error(std::string_view description) {
  constexpr std::string_view prefix = "Error while parsing ";
  if (description.starts_with(prefix)) description.remove_prefix(prefix.size());
  return fmt::format("syntax error in {}", description);
}

std::optional<Node> parse(const File& file, std::uint32_t index, Problems& problems) {
  if (file.text.size() > most_file_bytes) {
    refuse(problems, {file.path, 0, 0}, "a file of more than 1 MiB", "a plan is a few kilobytes");
    return std::nullopt;
  }
  std::string_view text = file.text;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (auto finding = Inspection{text}.run()) {
    refuse(problems, {file.path, finding->line, finding->column}, finding->what, finding->fix);
    return std::nullopt;
  }
  const auto result = toml::parse(text);
  if (!result) {
    const auto& error = result.error();
    const bool twice = error.description().find("cannot redefine") != std::string_view::npos;
    refuse(problems, place(file.path, error.source()), syntax_error(error.description()),
           twice ? "it stands there twice: keep one" : "");
    return std::nullopt;
  }
  return Conversion{file.path, index, problems}.convert(result.table());
}

// -------------------------------------------------------------------------------------------------
// Overriding

/// TOML if it is one TOML value, else a string. `9011` is a number, `40s` a string.
Node parse_value(const Override& override) {
  Node plain;
  plain.kind = Node::Kind::string;
  plain.text = override.value;
  Problems ignored;
  auto parsed = parse({"", "v = " + override.value + "\n"}, 0, ignored);
  if (!parsed || parsed->entries.size() != 1 || parsed->entries.front().name != "v") return plain;
  Node value = std::move(parsed->entries.front().value);
  return value.kind == Node::Kind::date ? plain : value;
}

void relocate(Node& node, const Location& where, std::uint32_t index) {
  node.where = where;
  for (Node& item : node.items) relocate(item, where, index);
  for (Entry& entry : node.entries) {
    entry.where = where;
    entry.file = index;
    relocate(entry.value, where, index);
  }
}

/// `a.b.c = value` as a tree of its own; nullopt when the key is not one.
std::optional<Node> tree_of(const Override& override) {
  std::vector<std::string> names;
  std::string_view rest = override.key;
  while (true) {
    const auto dot = rest.find('.');
    names.emplace_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (std::ranges::any_of(names, &std::string::empty) || names.size() > most_nesting) return std::nullopt;
  Node node = parse_value(override);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    Node table;
    table.entries.push_back({*name, {}, 0, std::move(node)});
    node = std::move(table);
  }
  return node;
}

}  // namespace

const Entry* Node::find(std::string_view name) const {
  const auto found = std::ranges::find(entries, name, &Entry::name);
  return found == entries.end() ? nullptr : &*found;
}

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::string: return "a string";
    case Node::Kind::integer: return "an integer";
    case Node::Kind::number: return "a number with a fraction";
    case Node::Kind::boolean: return "a boolean";
    case Node::Kind::date: return "a date or time";
    case Node::Kind::array: return "a list";
    case Node::Kind::table: return "a table";
  }
  return "";
}

std::string place_text(const Location& where) {
  if (where.line == 0) return where.file;
  return fmt::format("{}:{}:{}", where.file, where.line, where.column);
}

std::optional<Document> read_document(const std::vector<File>& files, const std::vector<Override>& overrides,
                                      Problems& problems) {
  const auto before = problems.size();
  if (files.size() > most_files) {
    refuse(problems, {files[most_files].path, 0, 0}, fmt::format("more than {} files", most_files),
           "merge some of them");
    return std::nullopt;
  }
  Document document;
  Inheritance inheritance{problems, document.replaced};
  if (!files.empty()) document.root.where = {files.front().path, 1, 1};
  std::uint32_t index = 0;
  for (const File& file : files) {
    if (auto parsed = parse(file, index++, problems))
      inheritance.lay_over(document.root, std::move(*parsed), "");
  }
  for (const Override& override : overrides) {
    const Location where{"--set " + override.key, 0, 0};
    auto tree = tree_of(override);
    if (!tree) {
      refuse(problems, where, "not a key of the plan", "write it with dots: --set service.teled.port=9011");
      continue;
    }
    relocate(*tree, where, index++);
    inheritance.lay_over(document.root, std::move(*tree), "");
  }
  if (problems.size() != before) return std::nullopt;
  return document;
}

Location locate(const Node& root, std::string_view key) {
  Location where = root.where;
  const Node* table = &root;
  while (true) {
    const auto dot = key.find('.');
    const Entry* entry = table->find(key.substr(0, dot));
    if (entry == nullptr) return where;
    where = entry->where;
    table = &entry->value;
    if (dot == std::string_view::npos) return where;
    key.remove_prefix(dot + 1);
  }
}

}  // namespace arizuko::plan
