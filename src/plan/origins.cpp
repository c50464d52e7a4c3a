#include "origins.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace arizuko::plan {
namespace {

using Place = std::tuple<std::string_view, std::uint32_t, std::uint32_t>;

Place place_of(const Location& where) { return {where.file, where.line, where.column}; }

/// "service.teled.ready.within" in two.
struct UnitKey {
  std::string_view unit;  // "service.teled"
  std::string_view name;  // "teled"
  std::string_view rest;  // ".ready.within"
};

std::optional<UnitKey> split(std::string_view key) {
  const auto first = key.find('.');
  const auto table = key.substr(0, first);
  if (first == key.npos || (table != "service" && table != "task" && table != "template"))
    return std::nullopt;
  const auto second = std::min(key.find('.', first + 1), key.size());
  return UnitKey{key.substr(0, second), key.substr(first + 1, second - first - 1), key.substr(second)};
}

/// Which unit wrote what stands at `where` in `table`; nullopt: it does not stand there.
std::optional<std::uint32_t> writer(const Node& table, const Location& where) {
  for (const Node& item : table.items) {
    if (item.where == where) return item.unit;
    if (const auto found = writer(item, where)) return found;
  }
  for (const Entry& entry : table.entries) {
    if (entry.where == where || entry.value.where == where) return entry.value.unit;
    if (const auto found = writer(entry.value, where)) return found;
  }
  return std::nullopt;
}

bool is_part_of_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// `text` without the name of the one that it speaks of: eight problems that differ in nothing else are one.
std::string anonymous(std::string_view text, std::string_view name) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    auto end = at;
    while (end < text.size() && is_part_of_a_name(text[end])) ++end;
    if (end == at) {
      out += text[at++];
      continue;
    }
    const auto word = text.substr(at, end - at);
    out += word == name ? std::string_view{"\0", 1} : word;
    at = end;
  }
  return out;
}

/// `text` with the key of the unit that wrote it in place of that of the one that has it.
std::string with_key(std::string_view text, std::string_view heir, std::string_view writer) {
  std::string out;
  for (auto at = text.find(heir); at != text.npos; at = text.find(heir)) {
    const auto end = at + heir.size();
    const bool whole = end == text.size() || !is_part_of_a_name(text[end]);
    out.append(text.substr(0, at)).append(whole ? writer : heir);
    text.remove_prefix(end);
  }
  return out.append(text);
}

class Telling {
 public:
  explicit Telling(const Document& document) : document_(document) {
    for (const Replaced& each : document.replaced) replaced_.emplace(place_of(each.by), &each);
  }

  Problems tell(Problems&& problems) {
    for (Problem& problem : problems) add(std::move(problem));
    for (const auto& [index, heirs] : heirs_) name_heirs(told_[index], heirs);
    return std::move(told_);
  }

 private:
  void add(Problem problem) {
    if (const auto found = replaced_.find(place_of(problem.where)); found != replaced_.end()) {
      const Replaced& replaced = *found->second;
      const auto kind = kind_name(replaced.kind);  // "a list"
      problem.what += fmt::format(" (in place of the {} at {})", kind.substr(kind.find(' ') + 1),
                                  place_text(replaced.what));
    }
    const auto key = split(problem.key);
    const Unit* heir = key ? unit_called(key->unit) : nullptr;
    const auto from = heir == nullptr ? std::nullopt : writer_of(problem.where, *table_of(*key));
    const bool inherited = from && *from != 0 && &document_.units[*from] != heir;
    if (!inherited && (!key || !key->unit.starts_with("template."))) {
      told_.push_back(std::move(problem));
      return;
    }
    const auto name = inherited ? std::string{key->name} : std::string{};
    if (inherited) {
      const std::string& written = document_.units[*from].key;
      problem.key = written + std::string{key->rest};
      problem.what = with_key(problem.what, heir->key, written);
      problem.fix = with_key(problem.fix, heir->key, written);
    }
    const Location where = problem.where;
    const auto same = std::tuple{std::tuple{where.file, where.line, where.column}, problem.key,
                                 anonymous(problem.what, name), anonymous(problem.fix, name)};
    const auto [known, fresh] = known_.emplace(same, told_.size());
    if (fresh) told_.push_back(std::move(problem));
    if (inherited) heirs_[known->second].push_back(heir);
  }

  std::optional<std::uint32_t> writer_of(const Location& where, const Node& table) const {
    const auto taken_out = std::ranges::find(document_.idle, where, &Node::where);
    return taken_out != document_.idle.end() ? taken_out->unit : writer(table, where);
  }

  const Unit* unit_called(std::string_view key) const {
    const auto found = std::ranges::find(document_.units, key, &Unit::key);
    return found == document_.units.end() || key.empty() ? nullptr : &*found;
  }

  const Node* table_of(const UnitKey& key) const {
    const auto table = key.unit.substr(0, key.unit.find('.'));
    return &document_.root.find(table)->value.find(key.name)->value;
  }

  void name_heirs(Problem& problem, const std::vector<const Unit*>& heirs) {
    problem.what +=
        fmt::format(" (inherited by {} at {}", heirs.front()->key, place_text(heirs.front()->where));
    if (heirs.size() > 1) problem.what += fmt::format(" and {} more", heirs.size() - 1);
    problem.what += ")";
  }

  using Same = std::tuple<std::tuple<std::string, std::uint32_t, std::uint32_t>, std::string, std::string,
                          std::string>;

  const Document& document_;
  std::map<Place, const Replaced*> replaced_;
  Problems told_;
  std::map<Same, std::size_t> known_;
  std::map<std::size_t, std::vector<const Unit*>> heirs_;  // of told_[index]
};

}  // namespace

void tell_origins(const Document& document, Problems& problems) {
  if (!problems.empty()) problems = Telling{document}.tell(std::move(problems));
}

}  // namespace arizuko::plan
