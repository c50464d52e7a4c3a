#include "keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <ranges>

#include "arizuko/base/nearest.hpp"
#include "schema.hpp"
#include "values.hpp"

namespace arizuko::plan {
namespace {

std::string_view heading(Section section) {
  switch (section) {
    case Section::plan: return "the top of the plan";
    case Section::pod: return "[pod]";
    case Section::env: return "[env]";
    case Section::unit: return "[service.NAME] or [task.NAME]";
    case Section::service: return "[service.NAME]";
    case Section::task: return "[task.NAME]";
    case Section::look: return "[service.NAME.ready]";
    case Section::restart: return "[service.NAME.restart]";
    case Section::stop: return "[service.NAME.stop]";
    case Section::agents: return "[agents]";
  }
  return "";
}

class KeyCheck {
 public:
  explicit KeyCheck(Problems& problems) : problems_(problems) {}

  void root(const Node& root) {
    known(root, "", {Section::plan});
    for (const Entry& entry : root.entries) {
      if (entry.name == "pod" && is_table(entry, "pod")) known(entry.value, "pod", {Section::pod});
      if (entry.name == "env" && is_table(entry, "env")) known(entry.value, "env", {Section::env});
      if (entry.name == "agents" && is_table(entry, "agents"))
        known(entry.value, "agents", {Section::agents});
      const bool units = entry.name == "service" || entry.name == "task" || entry.name == "template";
      if (!units || !is_table(entry, entry.name)) continue;
      for (const Entry& unit : entry.value.entries) {
        const auto key = entry.name + "." + unit.name;
        if (!is_table(unit, key)) continue;
        if (entry.name == "template") {
          this->unit(unit.value, key, {Section::unit, Section::service, Section::task});
        } else {
          this->unit(unit.value, key,
                     {Section::unit, entry.name == "task" ? Section::task : Section::service});
        }
      }
    }
  }

 private:
  void unit(const Node& table, const std::string& key, std::initializer_list<Section> sections) {
    known(table, key, sections);
    const bool looks = std::ranges::find(sections, Section::service) != sections.end();
    for (const Entry& entry : table.entries) {
      const auto inner = key + "." + entry.name;
      const bool look = looks && (entry.name == "ready" || entry.name == "live");
      if (look && is_table(entry, inner)) this->look(entry.value, inner);
      if (entry.name == "restart" && is_table(entry, inner)) known(entry.value, inner, {Section::restart});
      if (entry.name == "stop" && is_table(entry, inner)) known(entry.value, inner, {Section::stop});
    }
  }

  /// `.ready` or `.live`: a condition may itself be a table.
  void look(const Node& table, const std::string& key) {
    known(table, key, {Section::look});
    for (const Entry& entry : table.entries) {
      const auto found = std::ranges::find_if(schema(), [&](const Key& candidate) {
        return candidate.section == Section::look && candidate.name == entry.name;
      });
      if (found == schema().end() || found->parts.empty()) continue;
      std::vector<std::string_view> names{condition_keys().begin(), condition_keys().end()};
      for (const auto part : std::views::split(found->parts, ' '))
        names.emplace_back(part.begin(), part.end());
      condition(entry.value, key + "." + entry.name, names);
      for (const Node& item : entry.value.items) condition(item, key + "." + entry.name, names);
    }
  }

  void condition(const Node& node, const std::string& key, const std::vector<std::string_view>& names) {
    if (node.kind != Node::Kind::table) return;
    for (const Entry& inner : node.entries) {
      if (std::ranges::find(names, inner.name) == names.end()) unknown(inner, key, names, {});
    }
  }

  void known(const Node& table, const std::string& key, std::initializer_list<Section> sections) {
    std::vector<std::string_view> names;
    for (const Key& candidate : schema()) {
      if (std::ranges::find(sections, candidate.section) != sections.end()) names.push_back(candidate.name);
    }
    for (const Entry& entry : table.entries) {
      if (std::ranges::find(names, entry.name) == names.end()) unknown(entry, key, names, sections);
    }
  }

  void unknown(const Entry& entry, const std::string& table, const std::vector<std::string_view>& names,
               std::initializer_list<Section> sections) {
    std::string fix;
    const auto elsewhere = std::ranges::find(schema(), entry.name, &Key::name);
    if (const auto meant = base::nearest(entry.name, names)) {
      fix = fmt::format("did you mean \"{}\"?", *meant);
    } else if (sections.size() > 0 && elsewhere != schema().end()) {
      fix = fmt::format("it is a key of {}", heading(elsewhere->section));
    } else if (sections.size() > 0 && *sections.begin() == Section::plan) {
      fix = "services are written [service.NAME], tasks [task.NAME]";
    } else {
      fix = fmt::format("known are {}", fmt::join(names, ", "));
    }
    report(entry.where, table.empty() ? entry.name : table + "." + entry.name, "unknown key", std::move(fix));
  }

  bool is_table(const Entry& entry, const std::string& key) {
    if (entry.value.kind == Node::Kind::table) return true;
    report(entry.value.where, key, fmt::format("must be a table, not {}", kind_name(entry.value.kind)),
           fmt::format("write [{}{}] and its keys below", key,
                       key == "service" || key == "task" || key == "template" ? ".NAME" : ""));
    return false;
  }

  void report(const Location& where, std::string key, std::string what, std::string fix) {
    problems_.push_back({Severity::error, where, std::move(key), std::move(what), std::move(fix)});
  }

  Problems& problems_;
};

}  // namespace

void check_keys(const Node& root, Problems& problems) { KeyCheck{problems}.root(root); }

}  // namespace arizuko::plan
