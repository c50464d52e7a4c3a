#include "inheritance.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace arizuko::plan {
namespace {

std::string below(const std::string& key, std::string_view name) {
  return key.empty() ? std::string{name} : key + "." + std::string{name};
}

Entry* find_mutable(Node& table, std::string_view name) {
  const auto found = std::ranges::find(table.entries, name, &Entry::name);
  return found == table.entries.end() ? nullptr : &*found;
}

/// Lists whose entries are words of another program, where "..." may be one.
bool holds_words(std::string_view name) { return name == "command" || name == "exec" || name == "drop"; }

class IdleRests {
 public:
  IdleRests(std::vector<Node>& idle, Problems& problems) : idle_(idle), problems_(problems) {}

  /// `name` and `key` are those of `node`.
  void refuse(Node& node, std::string_view name, const std::string& key) {
    for (Entry& entry : node.entries) refuse(entry.value, entry.name, below(key, entry.name));
    for (Node& item : node.items) refuse(item, name, key);
    if (holds_words(name)) return;
    std::erase_if(node.items, [&](const Node& item) {
      if (!is_rest(item)) return false;
      problems_.push_back(
          {Severity::error, item.where, key,
           "there is nothing here for \"...\" to stand for: no list of this name was there before",
           "write the entries, or remove it"});
      idle_.push_back(item);
      return true;
    });
  }

 private:
  std::vector<Node>& idle_;
  Problems& problems_;
};

}  // namespace

bool is_rest(const Node& node) { return node.kind == Node::Kind::string && node.text == rest_of_list; }

void Inheritance::lay_over(Node& base, Node&& over, const std::string& key) {
  if (over.stands == Stands::on_what_was) {
    if (base.kind == Node::Kind::table && over.kind == Node::Kind::table)
      return merge(base, std::move(over), key);
    if (base.kind == Node::Kind::array && over.kind == Node::Kind::array)
      return splice(base, std::move(over), key);
    if (is_false(over) && (base.kind == Node::Kind::table || base.stands == Stands::for_nothing)) {
      over.stands = Stands::for_nothing;
    } else if (base.kind != over.kind) {
      over.stands = Stands::alone;
      if (base.stands != Stands::for_nothing) replaced_.push_back({over.where, base.where, base.kind});
    }
  }
  base = std::move(over);
}

void Inheritance::merge(Node& table, Node&& over, const std::string& key) {
  for (Entry& entry : over.entries) {
    Entry* known = find_mutable(table, entry.name);
    if (known == nullptr) {
      table.entries.push_back(std::move(entry));
      continue;
    }
    const bool both = known->value.kind == Node::Kind::table && entry.value.kind == Node::Kind::table &&
                      entry.value.stands == Stands::on_what_was;
    lay_over(known->value, std::move(entry.value), below(key, entry.name));
    if (both) continue;  // a table stays where it was written first
    known->where = std::move(entry.where);
    known->file = entry.file;
  }
}

void Inheritance::splice(Node& list, Node&& over, const std::string& key) {
  const auto rest = std::ranges::find_if(over.items, is_rest);
  if (rest != over.items.end()) {
    const auto second = std::find_if(std::next(rest), over.items.end(), is_rest);
    if (second != over.items.end()) {
      problems_.push_back(
          {Severity::error, second->where, key,
           "\"...\" stands in the list twice, and would bring the entries that were there twice",
           "keep one"});
    }
    const auto at = over.items.erase(rest);
    over.items.insert(at, std::make_move_iterator(list.items.begin()),
                      std::make_move_iterator(list.items.end()));
  }
  list = std::move(over);
}

void take_away(Node& table) {
  std::erase_if(table.entries, [](const Entry& entry) { return entry.value.stands == Stands::for_nothing; });
  for (Entry& entry : table.entries) take_away(entry.value);
}

void refuse_idle_rests(Document& document, Problems& problems) {
  for (Entry& entry : document.root.entries) {
    // In a template nobody knows yet what it will stand for.
    if (entry.name != "template")
      IdleRests{document.idle, problems}.refuse(entry.value, entry.name, entry.name);
  }
}

}  // namespace arizuko::plan
