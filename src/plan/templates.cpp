#include "templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "arizuko/base/nearest.hpp"
#include "inheritance.hpp"
#include "values.hpp"

namespace arizuko::plan {
namespace {

enum class Written { in_template, in_service, in_task };

std::string_view noun(Written kind) {
  switch (kind) {
    case Written::in_template: return "template";
    case Written::in_service: return "service";
    case Written::in_task: return "task";
  }
  return "";
}

bool may_be_like(Written kind, Written other) {
  return kind == Written::in_template || other == Written::in_template || kind == other;
}

struct Heir {
  Written kind = Written::in_service;
  Entry* entry = nullptr;
  std::uint32_t unit = 0;               // index into Document::units
  const Node* like = nullptr;           // as it is written
  std::optional<std::size_t> parent{};  // index into Templates::heirs_
  bool is_parent = false;
  bool resolved = false;
};

std::size_t values_in(const Node& node) {
  std::size_t count = 1;
  for (const Node& item : node.items) count += values_in(item);
  for (const Entry& entry : node.entries) count += values_in(entry.value);
  return count;
}

void mark(Node& node, std::uint32_t unit) {
  node.unit = unit;
  for (Node& item : node.items) mark(item, unit);
  for (Entry& entry : node.entries) mark(entry.value, unit);
}

class Templates {
 public:
  Templates(Document& document, Problems& problems) : document_(document), problems_(problems) {}

  bool resolve() {
    for (const Written kind : {Written::in_template, Written::in_service, Written::in_task}) collect(kind);
    if (templates_ > most_templates) refuse_too_many();
    name_all();
    for (Heir& heir : heirs_) follow(heir);
    if (failed_) return false;
    check_chains();
    if (failed_) return false;
    for (Heir& heir : heirs_) inherit(heir);
    if (failed_) return false;
    warn_of_idle_templates();
    return true;
  }

 private:
  void refuse(const Location& where, std::string key, std::string what, std::string fix) {
    failed_ = true;
    problems_.push_back({Severity::error, where, std::move(key), std::move(what), std::move(fix)});
  }

  const std::string& key_of(const Heir& heir) const { return document_.units[heir.unit].key; }

  void collect(Written kind) {
    const auto table = std::ranges::find(document_.root.entries, noun(kind), &Entry::name);
    if (table == document_.root.entries.end()) return;
    for (Entry& entry : table->value.entries) {
      if (entry.value.kind != Node::Kind::table) continue;  // keys.cpp says so
      const auto unit = static_cast<std::uint32_t>(document_.units.size());
      document_.units.push_back({fmt::format("{}.{}", noun(kind), entry.name), entry.where});
      mark(entry.value, unit);
      heirs_.push_back({.kind = kind, .entry = &entry, .unit = unit});
      if (kind == Written::in_template) ++templates_;
    }
  }

  void refuse_too_many() {
    const Heir& first = heirs_[most_templates];
    refuse(first.entry->where, key_of(first), fmt::format("is one of {} templates", templates_),
           fmt::format("a plan can have {}", most_templates));
  }

  void name_all() {
    for (std::size_t i = 0; i < heirs_.size(); ++i) {
      const Heir& heir = heirs_[i];
      const std::string& name = heir.entry->name;
      if (heir.kind == Written::in_template) {
        if (const auto right = parse_service_name(name); !right)
          refuse(heir.entry->where, key_of(heir), quoted(name) + " " + right.error().what, right.error().fix);
      }
      const auto [first, fresh] = names_.emplace(name, i);
      if (fresh || heirs_[first->second].kind != Written::in_template) continue;  // else service.cpp says so
      const Unit& other = document_.units[heirs_[first->second].unit];
      refuse(heir.entry->where, key_of(heir),
             fmt::format("the name {} is used twice, first by {} at {}", quoted(name), other.key,
                         place_text(other.where)),
             "rename one: who is like it could mean either");
    }
  }

  /// Finds the parent that `like` names.
  void follow(Heir& heir) {
    const Entry* entry = heir.entry->value.find("like");
    if (entry == nullptr) return;
    heir.like = &entry->value;
    const Node& like = *heir.like;
    const auto key = key_of(heir) + ".like";
    if (like.kind != Node::Kind::string) {
      return refuse(like.where, key, fmt::format("must be a string, not {}", kind_name(like.kind)),
                    "write the name of one template, service or task");
    }
    const auto found = names_.find(like.text);
    if (found == names_.end()) return refuse_unknown(heir, key);
    Heir& parent = heirs_[found->second];
    if (!may_be_like(heir.kind, parent.kind)) {
      return refuse(like.where, key,
                    fmt::format("{} is a {} at {}", quoted(like.text), noun(parent.kind),
                                place_text(parent.entry->where)),
                    fmt::format("a {0} can be like a {0} or a template", noun(heir.kind)));
    }
    heir.parent = found->second;
    parent.is_parent = true;
  }

  void refuse_unknown(const Heir& heir, const std::string& key) {
    std::vector<std::string_view> names;
    for (const auto& [name, index] : names_) {
      if (may_be_like(heir.kind, heirs_[index].kind) && name != heir.entry->name) names.push_back(name);
    }
    const auto meant = base::nearest(heir.like->text, names);
    refuse(heir.like->where, key,
           fmt::format("there is no template{}{} {}", heir.kind == Written::in_task ? "" : " or service",
                       heir.kind == Written::in_service ? "" : " or task", quoted(heir.like->text)),
           meant ? fmt::format("did you mean \"{}\"?", *meant)
                 : fmt::format("write [template.{}]", parse_service_name(heir.like->text).value_or("NAME")));
  }

  /// Each has at most one parent: a walk from each ends, or comes back to where it has been.
  void check_chains() {
    std::vector<std::size_t> depths(heirs_.size());
    std::vector<bool> known(heirs_.size());
    for (std::size_t i = 0; i < heirs_.size(); ++i) {
      std::vector<std::size_t> path;
      std::optional<std::size_t> at = i;
      for (; at && !known[*at]; at = heirs_[*at].parent) {
        known[*at] = true;
        path.push_back(*at);
      }
      if (const auto again = at ? std::ranges::find(path, *at) : path.end(); again != path.end())
        return refuse_cycle({again, path.end()});
      std::size_t depth = at ? depths[*at] + 1 : 0;
      for (auto each = path.rbegin(); each != path.rend(); ++each) depths[*each] = depth++;
    }
    for (std::size_t i = 0; i < heirs_.size(); ++i) {
      if (depths[i] != longest_chain + 1) continue;  // deeper ones are like this one
      refuse(heirs_[i].like->where, key_of(heirs_[i]) + ".like",
             fmt::format("is the end of a chain of {}, each like the one before", depths[i]),
             fmt::format("a chain can have {}", longest_chain));
    }
  }

  void refuse_cycle(const std::vector<std::size_t>& cycle) {
    std::string names;
    for (const std::size_t each : cycle) names += heirs_[each].entry->name + " -> ";
    const Heir& first = heirs_[cycle.front()];
    refuse(first.like->where, key_of(first) + ".like",
           fmt::format("a cycle: {}{}, each like the next one", names, first.entry->name),
           "remove one of these");
  }

  void inherit(Heir& heir) {
    if (heir.resolved || failed_) return;
    heir.resolved = true;
    if (!heir.parent) return;
    Heir& parent = heirs_[*heir.parent];
    inherit(parent);  // a chain is not long
    if (failed_) return;
    values_ += values_in(parent.entry->value);
    if (values_ > most_inherited_values) {
      return refuse(heir.like->where, key_of(heir) + ".like", "brings too many values into the plan",
                    fmt::format("all that is inherited can be {} values", most_inherited_values));
    }
    Node own = std::move(heir.entry->value);
    Node whole = parent.entry->value;
    std::erase_if(whole.entries, [](const Entry& entry) { return entry.name == "like"; });
    whole.where = own.where;
    whole.unit = heir.unit;
    own.stands = Stands::on_what_was;
    const auto before = problems_.size();
    Inheritance{problems_, document_.replaced}.lay_over(whole, std::move(own), key_of(heir));
    failed_ = failed_ || problems_.size() != before;
    heir.entry->value = std::move(whole);
  }

  void warn_of_idle_templates() {
    for (const Heir& heir : heirs_) {
      if (heir.kind != Written::in_template || heir.is_parent) continue;
      problems_.push_back(
          {Severity::warning, heir.entry->where, key_of(heir), "nothing is like it",
           fmt::format("write like = \"{}\" in a service or task, or remove it", heir.entry->name)});
    }
  }

  Document& document_;
  Problems& problems_;
  std::vector<Heir> heirs_;
  std::map<std::string_view, std::size_t> names_;
  std::size_t templates_ = 0;
  std::size_t values_ = 0;
  bool failed_ = false;
};

}  // namespace

bool resolve_templates(Document& document, Problems& problems) {
  return Templates{document, problems}.resolve();
}

}  // namespace arizuko::plan
