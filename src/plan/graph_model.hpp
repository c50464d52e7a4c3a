// What the three forms of a plan's graph share: steps, links that say something, groups. Private to plan/.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/graph.hpp"

namespace arizuko::plan {

enum class LinkKind { after, bound_to, after_tried };

/// What one waits for: a service, or all of a group.
struct End {
  enum class Kind { service, group } kind = Kind::service;
  std::uint32_t index = 0;
  auto operator<=>(const End&) const = default;
};

struct Wait {
  LinkKind kind = LinkKind::after;
  End on;
  auto operator<=>(const Wait&) const = default;
};

struct GraphNode {
  std::uint32_t step = 0;              // one more than the last of those it waits for
  std::optional<std::uint32_t> group;  // only of a group of at least two
  bool is_gate = false;  // each other one comes before it or after it; those without links do not count
  std::vector<Wait> waits;
  std::optional<Idle> idle;
};

struct GraphGroup {
  std::string name;
  std::vector<ServiceId> members;
};

struct GraphModel {
  std::vector<GraphNode> nodes;  // as Plan::services
  std::vector<GraphGroup> groups;
};

GraphModel graph_model(const Plan& plan, const GraphRequest& request);

/// "off", "blocked"
std::string_view state_text(Idle::State state);

std::string graph_text(const Plan& plan, const GraphModel& model);
std::string graph_dot(const Plan& plan, const GraphModel& model);
std::string graph_mermaid(const Plan& plan, const GraphModel& model);

}  // namespace arizuko::plan
