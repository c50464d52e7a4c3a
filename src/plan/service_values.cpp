// What a service sees of the environment: take, need, env; and what of it switches it on: enabled_when.
#include <fmt/format.h>

#include <algorithm>

#include "draft.hpp"

namespace arizuko::plan {
namespace {

constexpr std::size_t longest_separator_bytes = 16;

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// ---------------------------------------------------------------------------------------------
// enabled_when

/// "NAME" or "NAME=value".
Parsed<EnabledWhen> parse_enabled_when(std::string_view text) {
  const auto equals = text.find('=');
  auto name = parse_variable(text.substr(0, equals));
  if (!name) return std::unexpected(std::move(name.error()));
  EnabledWhen condition{std::move(*name), std::nullopt};
  if (equals != std::string_view::npos) condition.value = text.substr(equals + 1);
  return condition;
}

bool has_room(const Reader& reader, const Node& list, const std::string& key) {
  if (list.items.size() <= most_list_entries) return true;
  reader.report(list.where, key, fmt::format("has {} entries", list.items.size()),
                fmt::format("a list can have {}", most_list_entries));
  return false;
}

/// One entry: a condition, or a list of which one must be met.
AnyOf read_any_of(const Reader& reader, const Node& entry, const std::string& key) {
  AnyOf any;
  EnabledWhen one;
  if (entry.kind != Node::Kind::array) {
    if (reader.parse_node(entry, key, parse_enabled_when, one)) any.push_back(std::move(one));
    return any;
  }
  if (entry.items.empty()) {
    reader.report(entry.where, key, "is a list of nothing, of which no one can be met",
                  "write [\"NAME\", \"OTHER\"], of which one must be set");
  }
  if (!has_room(reader, entry, key)) return {};
  for (const Node& item : entry.items) {
    if (reader.parse_node(item, key, parse_enabled_when, one)) any.push_back(one);
  }
  return any;
}

std::vector<AnyOf> read_enabled_when(const Reader& reader) {
  std::vector<AnyOf> out;
  const Node* list = reader.find("enabled_when");
  const std::string key = reader.key_of("enabled_when");
  if (list == nullptr || !reader.is(*list, Node::Kind::array, key, "a list: [\"NAME\", \"NAME=value\"]") ||
      !has_room(reader, *list, key))
    return out;
  for (const Node& entry : list->items) {
    AnyOf any = read_any_of(reader, entry, key);
    if (any.empty()) continue;
    if (std::ranges::find(out, any) != out.end()) {
      reader.warn(entry.where, key, "stands in the list twice", "remove one");
    } else {
      out.push_back(std::move(any));
    }
  }
  return out;
}

// ---------------------------------------------------------------------------------------------
// take and need

/// "NAME" or "NAME = KEY".
Parsed<Taken> parse_taken(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    auto name = parse_variable(text);
    if (!name) return std::unexpected(std::move(name.error()));
    return Taken(std::move(*name));
  }
  auto name = parse_variable(without_blanks(text.substr(0, equals)));
  auto key = parse_variable(without_blanks(text.substr(equals + 1)));
  if (name && key) return Taken(std::move(*name), std::move(*key));
  return std::unexpected(
      Wrong{fmt::format("does not have a variable's name {} the \"=\"", name ? "behind" : "before"),
            "write \"NAME\", or \"NAME = KEY\" to give it the value of KEY as NAME"});
}

/// A later entry for the same name is what a plan that is built on another says anew.
std::vector<Taken> read_taken(const Reader& reader, std::string_view name) {
  std::vector<Taken> out;
  for (const Placed& entry : reader.list(name)) {
    auto taken = parse_taken(entry.text);
    if (!taken) {
      reader.wrong(entry.where, reader.key_of(name), entry.written, taken.error());
      continue;
    }
    const auto before = std::ranges::find(out, taken->name, &Taken::name);
    if (before != out.end()) {
      *before = std::move(*taken);
    } else {
      out.push_back(std::move(*taken));
    }
  }
  return out;
}

// ---------------------------------------------------------------------------------------------
// env

bool read_joined_item(const Reader& reader, const Node& item, const std::string& key, Joined& joined) {
  Template text;
  if (!reader.holed(item, key, text)) return false;
  joined.items.push_back(std::move(text));
  return true;
}

/// { join = ",", of = ["a=${A}"] }
bool read_joined(const Reader& outer, const Node& node, const std::string& key, Joined& joined) {
  const Reader reader = outer.at(node, key);
  bool right = true;
  for (const Entry& entry : node.entries) {
    if (entry.name == "join" || entry.name == "of") continue;
    reader.report(entry.where, key + "." + entry.name, "unknown key", "known are join, of");
    right = false;
  }
  const Node* join = reader.find("join");
  const Node* of = reader.find("of");
  if (join == nullptr || of == nullptr) {
    reader.report(node.where, key, fmt::format("has no {}", join == nullptr ? "join" : "of"),
                  "write { join = \",\", of = [\"a=${A}\", \"b=${B}\"] }");
    return false;
  }
  right = reader.string(*join, key + ".join", joined.separator) && right;
  if (right && (joined.separator.empty() || joined.separator.size() > longest_separator_bytes)) {
    reader.report(
        join->where, key + ".join", joined.separator.empty() ? "is empty" : "is too long",
        fmt::format("write what stands between two values, 1 to {} bytes", longest_separator_bytes));
    right = false;
  }
  const std::string list = key + ".of";
  if (!reader.is(*of, Node::Kind::array, list, "a list: [\"a=${A}\", \"b=${B}\"]") ||
      !has_room(reader, *of, list))
    return false;
  for (const Node& item : of->items) right = read_joined_item(reader, item, list, joined) && right;
  return right;
}

void read_env_table(const Reader& reader, Service& service) {
  const Node* table = reader.find("env");
  if (table == nullptr) return;
  const auto key = reader.key_of("env");
  if (!reader.is(*table, Node::Kind::table, key, "a table: { NAME = \"value\" }")) return;
  if (table->entries.size() > most_list_entries) {
    return reader.report(table->where, key, fmt::format("has {} entries", table->entries.size()),
                         fmt::format("an env table can have {}", most_list_entries));
  }
  for (const Entry& entry : table->entries) {
    const auto inner = key + "." + entry.name;
    if (const auto name = parse_variable(entry.name); !name) {
      reader.wrong(entry.where, inner, entry.name, name.error());
      continue;
    }
    if (entry.value.kind == Node::Kind::table) {
      Joined joined;
      if (read_joined(reader, entry.value, inner, joined))
        service.env.emplace_back(entry.name, std::move(joined));
      continue;
    }
    Template text;
    if (reader.holed(entry.value, inner, text)) service.env.emplace_back(entry.name, std::move(text));
  }
}

}  // namespace

void read_values(const Reader& reader, Service& service) {
  service.enabled_when = read_enabled_when(reader);
  service.need = read_taken(reader, "need");
  service.take = read_taken(reader, "take");
  // The same name from another key: what is needed is what it gets.
  std::erase_if(service.take, [&](const Taken& taken) {
    const auto needed = std::ranges::find(service.need, taken.name, &Taken::name);
    return needed != service.need.end() && needed->key != taken.key;
  });
  read_env_table(reader, service);
}

std::string key_given_as(const std::string& name, const Service& service) {
  const Taken* taken = given_as(service, name);
  return taken == nullptr ? name : taken->key;
}

}  // namespace arizuko::plan
