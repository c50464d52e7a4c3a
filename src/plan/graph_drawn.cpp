// The graph for programs that draw: arrows lead from what is waited for to what waits, a group is a box.
//
// No name is used as an identifier where it could be a word of the language: in dot all are quoted, in
// Mermaid services are s0, s1, ... and groups g0, g1, ...: "end" or "graph" would break it.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/base/shown.hpp"
#include "graph_model.hpp"

namespace arizuko::plan {
namespace {

struct Arrow {
  End from;
  LinkKind kind = LinkKind::after;
  End to;
};

/// What all members of a group wait for is one arrow to the group.
std::vector<Arrow> arrows_of(const GraphModel& model) {
  std::vector<std::map<Wait, std::size_t>> counts(model.groups.size());
  for (const GraphNode& node : model.nodes) {
    if (!node.group) continue;
    for (const Wait& wait : node.waits) ++counts[*node.group][wait];
  }
  std::vector<Arrow> arrows;
  for (ServiceId id = 0; id < model.nodes.size(); ++id) {
    const GraphNode& node = model.nodes[id];
    for (const Wait& wait : node.waits) {
      const bool is_of_all =
          node.group && counts[*node.group].at(wait) == model.groups[*node.group].members.size();
      if (!is_of_all) {
        arrows.push_back({wait.on, wait.kind, {End::Kind::service, id}});
      } else if (id == model.groups[*node.group].members.front()) {
        arrows.push_back({wait.on, wait.kind, {End::Kind::group, *node.group}});
      }
    }
  }
  return arrows;
}

// ---- dot -------------------------------------------------------------------------------------------------

std::string dot_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : base::shown(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// The node at which an arrow of a group begins or ends; it is cut at the box.
const Service& dot_node(const Plan& plan, const GraphModel& model, End end) {
  return plan.services[end.kind == End::Kind::group ? model.groups[end.index].members.front() : end.index];
}

std::string dot_service(const Service& service, const GraphNode& node) {
  std::vector<std::string> looks;
  if (service.kind == Kind::task) looks.emplace_back("shape=note");
  if (node.is_gate) looks.emplace_back("peripheries=2");
  if (service.essential) looks.emplace_back("penwidth=2");
  if (node.idle) {
    looks.emplace_back("style=dashed, fontcolor=gray40");
    looks.push_back(fmt::format(
        "tooltip={}", dot_string(fmt::format("{}: {}", state_text(node.idle->state), node.idle->why))));
  }
  return fmt::format("{}{};\n", dot_string(service.name),
                     looks.empty() ? "" : fmt::format(" [{}]", fmt::join(looks, ", ")));
}

std::string dot_arrow(const Plan& plan, const GraphModel& model, const Arrow& arrow) {
  const auto box = [](std::uint32_t group) { return fmt::format("\"cluster_{}\"", group); };
  std::vector<std::string> looks;
  switch (arrow.kind) {
    case LinkKind::after: break;
    case LinkKind::bound_to: looks.emplace_back("style=bold"); break;
    case LinkKind::after_tried: looks.emplace_back("style=dashed"); break;
  }
  if (arrow.from.kind == End::Kind::group) looks.push_back("ltail=" + box(arrow.from.index));
  if (arrow.to.kind == End::Kind::group) looks.push_back("lhead=" + box(arrow.to.index));
  return fmt::format("  {} -> {}{};\n", dot_string(dot_node(plan, model, arrow.from).name),
                     dot_string(dot_node(plan, model, arrow.to).name),
                     looks.empty() ? "" : fmt::format(" [{}]", fmt::join(looks, ", ")));
}

// ---- Mermaid ---------------------------------------------------------------------------------------------

/// Between quotes, what HTML or Mermaid would take for something else is written as an entity code.
std::string mermaid_string(std::string_view text) {
  constexpr std::string_view special = "\"#<>&`\\;";
  std::string out = "\"";
  for (const char c : base::shown(text))
    out += special.contains(c) ? fmt::format("#{};", static_cast<int>(c)) : std::string{c};
  return out + '"';
}

std::string mermaid_service(ServiceId id, const Service& service, const GraphNode& node) {
  const std::string label = mermaid_string(service.name);
  if (service.kind == Kind::task) return fmt::format("s{}[/{}/]\n", id, label);
  return node.is_gate ? fmt::format("s{}{{{{{}}}}}\n", id, label) : fmt::format("s{}[{}]\n", id, label);
}

std::string mermaid_end(End end) {
  return fmt::format("{}{}", end.kind == End::Kind::group ? 'g' : 's', end.index);
}

std::string_view mermaid_arrow(LinkKind kind) {
  switch (kind) {
    case LinkKind::after: return "-->";
    case LinkKind::bound_to: return "==>";
    case LinkKind::after_tried: return "-.->";
  }
  return "";
}

/// Looks that several have: "class s1,s2 off".
void mermaid_class(std::string& out, std::string_view name, std::string_view looks,
                   const std::vector<ServiceId>& ids) {
  if (ids.empty()) return;
  out += fmt::format("  classDef {} {}\n  class s{} {}\n", name, looks, fmt::join(ids, ",s"), name);
}

}  // namespace

std::string graph_dot(const Plan& plan, const GraphModel& model) {
  std::string out =
      "digraph plan {\n  compound=true;\n  node [shape=box];\n"
      "  label=\"plain: after   bold: bound_to   dashed: after_tried\";\n";
  for (std::size_t group = 0; group < model.groups.size(); ++group) {
    out += fmt::format("  subgraph \"cluster_{}\" {{\n    label={};\n", group,
                       dot_string('@' + model.groups[group].name));
    for (const ServiceId id : model.groups[group].members)
      out += "    " + dot_service(plan.services[id], model.nodes[id]);
    out += "  }\n";
  }
  for (ServiceId id = 0; id < model.nodes.size(); ++id) {
    if (!model.nodes[id].group) out += "  " + dot_service(plan.services[id], model.nodes[id]);
  }
  for (const Arrow& arrow : arrows_of(model)) out += dot_arrow(plan, model, arrow);
  return out + "}\n";
}

std::string graph_mermaid(const Plan& plan, const GraphModel& model) {
  std::string out = "flowchart TD\n";
  for (std::size_t group = 0; group < model.groups.size(); ++group) {
    out += fmt::format("  subgraph g{}[{}]\n", group, mermaid_string('@' + model.groups[group].name));
    for (const ServiceId id : model.groups[group].members)
      out += "    " + mermaid_service(id, plan.services[id], model.nodes[id]);
    out += "  end\n";
  }
  std::vector<ServiceId> essential, idle;
  for (ServiceId id = 0; id < model.nodes.size(); ++id) {
    if (!model.nodes[id].group) out += "  " + mermaid_service(id, plan.services[id], model.nodes[id]);
    if (plan.services[id].essential) essential.push_back(id);
    if (model.nodes[id].idle) idle.push_back(id);
  }
  for (const Arrow& arrow : arrows_of(model)) {
    out += fmt::format("  {} {} {}\n", mermaid_end(arrow.from), mermaid_arrow(arrow.kind),
                       mermaid_end(arrow.to));
  }
  mermaid_class(out, "essential", "stroke-width:3px", essential);
  mermaid_class(out, "idle", "stroke-dasharray:4 4,opacity:0.6", idle);
  return out;
}

}  // namespace arizuko::plan
