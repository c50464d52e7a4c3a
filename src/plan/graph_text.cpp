// The graph for a terminal: steps from top to bottom, a line each service; alike members of a group are one.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/base/shown.hpp"
#include "graph_model.hpp"

namespace arizuko::plan {
namespace {

constexpr std::size_t width = 80;
using Words = std::vector<std::string>;

/// Appends `words` from column `indent` on, wrapped; what is in front of the first stands in `out` already.
void append_wrapped(std::string& out, const Words& words, std::size_t indent) {
  std::size_t column = indent;
  for (const std::string& word : words) {
    const bool is_first = column == indent;
    if (!is_first && column + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!is_first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
}

Words words_of(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string_view phrase(LinkKind kind) {
  switch (kind) {
    case LinkKind::after: return "after";
    case LinkKind::bound_to: return "bound to";
    case LinkKind::after_tried: return "tried";
  }
  return "";
}

std::string_view meaning(LinkKind kind) {
  switch (kind) {
    case LinkKind::after: return "starts when X is ready, stops before X";
    case LinkKind::bound_to: return "the same, and restarts when X was restarted";
    case LinkKind::after_tried: return "starts when X is ready or has had its chance, stops before X";
  }
  return "";
}

constexpr std::array kinds{LinkKind::after, LinkKind::bound_to, LinkKind::after_tried};

/// One line of the picture: a service, or members of a group that wait for the same.
struct Row {
  std::vector<ServiceId> services;
  std::string name, what, waits;
  bool is_folded() const { return services.size() > 1; }
};

class Picture {
 public:
  Picture(const Plan& plan, const GraphModel& model) : plan_(plan), model_(model) {}

  std::string text() {
    make_rows();
    std::string out;
    for (const auto& [step, rows] : steps_) {
      for (const Row& row : rows) add_row(out, &row == &rows.front() ? fmt::to_string(step + 1) : "", row);
    }
    add_idle(out);
    add_legend(out);
    return out;
  }

 private:
  std::string name_of(End end) const {
    return end.kind == End::Kind::group ? '@' + base::shown(model_.groups[end.index].name)
                                        : base::shown(plan_.services[end.index].name);
  }

  /// "after a, b; tried @c"
  std::string waits_text(const GraphNode& node) const {
    Words parts;
    for (const LinkKind kind : kinds) {
      Words names;
      for (const Wait& wait : node.waits) {
        if (wait.kind == kind) names.push_back(name_of(wait.on));
      }
      if (!names.empty()) parts.push_back(fmt::format("{} {}", phrase(kind), fmt::join(names, ", ")));
    }
    return fmt::format("{}", fmt::join(parts, "; "));
  }

  std::string what_text(const Row& row) const {
    const Service& service = plan_.services[row.services.front()];
    const GraphNode& node = model_.nodes[row.services.front()];
    Words words;
    if (row.is_folded()) {
      const std::size_t all = model_.groups[*node.group].members.size();
      words.push_back(row.services.size() == all ? fmt::format("all {}", all)
                                                 : fmt::format("{} of {}", row.services.size(), all));
    } else if (node.group) {
      words.push_back("of @" + base::shown(service.group_name));
    }
    if (service.kind == Kind::task) words.emplace_back(row.is_folded() ? "tasks" : "task");
    if (node.is_gate) words.emplace_back("gate");
    if (service.essential) words.emplace_back("essential");
    if (!row.is_folded() && node.idle) words.emplace_back(state_text(node.idle->state));
    return fmt::format("{}", fmt::join(words, ", "));
  }

  void make_rows() {
    using Alike = std::tuple<std::uint32_t, std::uint32_t, Kind, bool, std::vector<Wait>>;
    std::map<Alike, std::size_t> places;
    for (ServiceId id = 0; id < model_.nodes.size(); ++id) {
      const GraphNode& node = model_.nodes[id];
      const Service& service = plan_.services[id];
      std::vector<Row>& rows = steps_[node.step];
      if (node.group) {
        const auto [place, is_new] = places.emplace(
            Alike{node.step, *node.group, service.kind, service.essential, node.waits}, rows.size());
        if (!is_new) {
          rows[place->second].services.push_back(id);
          continue;
        }
      }
      rows.push_back({{id}, {}, {}, {}});
    }
    for (auto& [step, rows] : steps_) {
      for (Row& row : rows) finish(row);
      step_width_ = fmt::to_string(step + 1).size();
    }
  }

  void finish(Row& row) {
    const ServiceId id = row.services.front();
    row.name = base::shown(row.is_folded() ? '@' + plan_.services[id].group_name : plan_.services[id].name);
    row.what = what_text(row);
    row.waits = waits_text(model_.nodes[id]);
    name_width_ = std::max(name_width_, row.name.size());
    what_width_ = std::max(what_width_, row.what.size());
  }

  void add_row(std::string& out, const std::string& step, const Row& row) const {
    const std::size_t name_column = step_width_ + 2;
    const std::size_t waits_column = name_column + name_width_ + 2 + (what_width_ == 0 ? 0 : what_width_ + 2);
    out += fmt::format("{:>{}}  {}", step, step_width_, row.name);
    const auto pad = [&](std::size_t from, std::size_t to) { out += std::string(to - from, ' '); };
    if (!row.what.empty()) {
      pad(row.name.size(), name_width_ + 2);
      out += row.what;
    }
    if (!row.waits.empty()) {
      pad(row.what.empty() ? name_column + row.name.size() : name_column + name_width_ + 2 + row.what.size(),
          waits_column);
      append_wrapped(out, words_of(row.waits), waits_column);
    }
    out += '\n';
    if (!row.is_folded()) return;
    Words members;
    for (const ServiceId id : row.services) {
      const auto& idle = model_.nodes[id].idle;
      members.push_back(base::shown(plan_.services[id].name) +
                        (idle ? fmt::format(" ({})", state_text(idle->state)) : "") +
                        (id == row.services.back() ? "" : ","));
    }
    out += std::string(name_column + 2, ' ');
    append_wrapped(out, members, name_column + 2);
    out += '\n';
  }

  void add_idle(std::string& out) const {
    std::size_t name_width = 0, state_width = 0;
    for (ServiceId id = 0; id < model_.nodes.size(); ++id) {
      if (!model_.nodes[id].idle) continue;
      name_width = std::max(name_width, base::shown(plan_.services[id].name).size());
      state_width = std::max(state_width, state_text(model_.nodes[id].idle->state).size());
    }
    if (name_width > 0) out += "\nNot started:\n";
    for (ServiceId id = 0; id < model_.nodes.size(); ++id) {
      const auto& idle = model_.nodes[id].idle;
      if (!idle) continue;
      out += fmt::format("  {:<{}}  {:<{}}  ", base::shown(plan_.services[id].name), name_width,
                         state_text(idle->state), state_width);
      append_wrapped(out, words_of(base::shown(idle->why)), name_width + state_width + 6);
      out += '\n';
    }
  }

  void add_legend(std::string& out) const {
    std::set<LinkKind> seen;
    for (const GraphNode& node : model_.nodes) {
      for (const Wait& wait : node.waits) seen.insert(wait.kind);
    }
    if (!seen.empty()) out += '\n';
    for (const LinkKind kind : seen)
      out += fmt::format("{:<10}  {}\n", fmt::format("{} X", phrase(kind)), meaning(kind));
    if (plan_.pod.ready_when.empty()) return;
    Words names;
    for (const ServiceId id : plan_.pod.ready_when) names.push_back(base::shown(plan_.services[id].name));
    out += "\nThe pod is ready with ";
    append_wrapped(out, words_of(fmt::format("{}.", fmt::join(names, ", "))), 22);
    out += '\n';
  }

  const Plan& plan_;
  const GraphModel& model_;
  std::map<std::uint32_t, std::vector<Row>> steps_;
  std::size_t step_width_ = 0, name_width_ = 0, what_width_ = 0;
};

}  // namespace

std::string graph_text(const Plan& plan, const GraphModel& model) { return Picture(plan, model).text(); }

}  // namespace arizuko::plan
