#include "arizuko/plan/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "arizuko/plan/show.hpp"
#include "draft.hpp"
#include "inheritance.hpp"
#include "schema.hpp"
#include "templates.hpp"

namespace arizuko::plan {
namespace {

Scope scope_of(const Plan& plan, std::string_view self) {
  Scope scope;
  scope.instance = plan.pod.instance;
  scope.data_dir = plan.pod.data_dir;
  scope.path = plan.pod.path;
  scope.agents_settings = plan.agents == AgentPolicy{} ? "" : settings_text(plan.agents);
  for (const Service& each : plan.services) scope.ports.emplace(each.name, each.port);
  scope.self = self;
  return scope;
}

/// Where docs/reference/plan.md has the key: the order in which one reads a service.
std::size_t rank(std::string_view name) {
  const auto in_a_unit = [&](const Key& key) {
    return key.name == name &&
           (key.section == Section::unit || key.section == Section::service || key.section == Section::task);
  };
  return static_cast<std::size_t>(std::ranges::find_if(schema(), in_a_unit) - schema().begin());
}

class Explaining {
 public:
  Explaining(const Plan& plan, const Document& document, const Node& table, std::string_view name)
      : document_(document), scope_(scope_of(plan, name)), own_(table.unit) {
    std::vector<std::pair<std::size_t, std::size_t>> order;
    for (std::size_t i = 0; i < table.entries.size(); ++i) order.emplace_back(rank(table.entries[i].name), i);
    std::ranges::sort(order);
    for (const auto& [place, i] : order) {
      const Entry& entry = table.entries[i];
      const bool looks = entry.name == "ready" || entry.name == "live";
      add(entry.value, entry.name, looks ? Headers::hidden : Headers::none);
    }
  }

  std::vector<ExplainedKey> keys() { return std::move(keys_); }

 private:
  enum class Headers { none, hidden, inside };  // of what stands below: none, some, or it is one's value

  void add(const Node& node, const std::string& key, Headers headers) {
    if (node.kind == Node::Kind::table) {
      for (const Entry& entry : node.entries) {
        const bool values = headers == Headers::hidden && entry.name == "headers";
        add(entry.value, key + "." + entry.name, values ? Headers::inside : headers);
      }
    } else if (node.kind == Node::Kind::array) {
      add_list(node, key, headers);
    } else {
      keys_.push_back({key, ExplainedKey::Kind::one, {value_of(node, headers)}, origin_of(node)});
    }
  }

  void add_list(const Node& list, const std::string& key, Headers headers) {
    const bool tables =
        std::ranges::any_of(list.items, [](const Node& item) { return item.kind == Node::Kind::table; });
    if (tables) {
      for (std::size_t i = 0; i < list.items.size(); ++i)
        add(list.items[i], fmt::format("{}[{}]", key, i + 1), headers);
      return;
    }
    ExplainedKey explained{key, ExplainedKey::Kind::list, {}, origin_of(list)};
    for (const Node& item : list.items) explained.values.push_back(value_of(item, headers));
    keys_.push_back(std::move(explained));
  }

  ExplainedValue value_of(const Node& node, Headers headers) const {
    ExplainedValue value{"", ExplainedValue::Form::word, origin_of(node)};
    if (headers == Headers::inside) {
      value.text = "(not shown)";
      value.form = ExplainedValue::Form::text;
      return value;
    }
    switch (node.kind) {
      case Node::Kind::string:
        value.text = resolved(node.text);
        value.form = ExplainedValue::Form::text;
        break;
      case Node::Kind::integer: value.text = std::to_string(node.integer); break;
      case Node::Kind::number: value.text = fmt::format("{}", node.number); break;
      case Node::Kind::boolean: value.text = node.boolean ? "true" : "false"; break;
      case Node::Kind::array:
        value.form = ExplainedValue::Form::text;
        for (const Node& item : node.items)
          value.text += (value.text.empty() ? "" : " or ") + value_of(item, headers).text;
        break;
      case Node::Kind::date:
      case Node::Kind::table: break;  // no plan that was taken has them here
    }
    return value;
  }

  /// References to the plan replaced, as `check` shows it.
  std::string resolved(const std::string& text) const {
    const auto pieces = parse_references(text);
    if (!pieces) return text;
    const auto filled = expand_fields(*pieces, scope_);
    return filled ? to_text(*filled) : text;
  }

  Origin origin_of(const Node& node) const {
    if (node.unit == own_ || node.unit == 0) return {node.where, ""};
    const std::string& key = document_.units[node.unit].key;  // "template.adapter"
    const auto dot = key.find('.');
    const auto name = key.substr(dot + 1);
    return {node.where, (key.starts_with("template.") ? "template " : "like ") + name};
  }

  const Document& document_;
  const Scope scope_;
  const std::uint32_t own_;
  std::vector<ExplainedKey> keys_;
};

}  // namespace

std::optional<std::vector<ExplainedKey>> explain(const Plan& plan, const std::vector<File>& files,
                                                 const std::vector<Override>& overrides,
                                                 std::string_view name) {
  const auto id = plan.find(name);
  if (!id) return std::nullopt;
  Problems problems;  // none: the plan was loaded from the same files
  auto document = read_document(files, overrides, problems);
  if (!document || !resolve_templates(*document, problems)) return std::nullopt;
  take_away(document->root);
  const Entry* table = document->root.find(plan.services[*id].kind == Kind::task ? "task" : "service");
  const Entry* entry = table == nullptr ? nullptr : table->value.find(name);
  if (entry == nullptr) return std::nullopt;
  return Explaining{plan, *document, entry->value, name}.keys();
}

}  // namespace arizuko::plan
