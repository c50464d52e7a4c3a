#include "arizuko/plan/graph.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <ranges>
#include <set>
#include <utility>

#include "graph_model.hpp"

namespace arizuko::plan {
namespace {

using Ids = std::vector<ServiceId>;

struct Link {
  ServiceId to = 0;
  LinkKind kind = LinkKind::after;
  bool is_telling = true;
};
using Links = std::vector<std::vector<Link>>;

/// `after` without what `bound_to` says more precisely, `bound_to`, `after_tried`: as written, each once.
std::vector<Link> links_of(const Service& service) {
  const std::set<ServiceId> bound(service.bound_to.begin(), service.bound_to.end());
  std::vector<Link> links;
  const auto add = [&](const Ids& ids, LinkKind kind) {
    std::set<ServiceId> seen;
    for (const ServiceId id : ids) {
      const bool is_said = kind == LinkKind::after && bound.contains(id);
      if (!is_said && seen.insert(id).second) links.push_back({id, kind});
    }
  };
  add(service.after, LinkKind::after);
  add(service.bound_to, LinkKind::bound_to);
  add(service.after_tried, LinkKind::after_tried);
  return links;
}

/// Which links follow from others, and how many come before and after each. Looks at 64 services at a time,
/// so that a deep plan takes no memory by its square. Each link leads back: services are in start order.
class Ancestry {
 public:
  explicit Ancestry(Links& links)
      : links_(links),
        before_(links.size(), 0),
        after_(links.size(), 0),
        all_(links.size(), 0),
        bound_(links.size(), 0) {
    for (first_ = 0; first_ < links.size(); first_ += block) {
      for (ServiceId id = 0; id < links.size(); ++id) look_at(id);
    }
  }

  /// Over after and bound_to: a link of after_tried makes nobody wait for what is off.
  std::size_t followers(ServiceId id) const { return after_[id]; }
  std::size_t comparable(ServiceId id) const { return before_[id] + after_[id]; }

 private:
  static constexpr ServiceId block = 64;

  std::uint64_t bit(ServiceId id) const {
    return id >= first_ && id - first_ < block ? std::uint64_t{1} << (id - first_) : 0;
  }

  void look_at(ServiceId id) {
    std::uint64_t direct = 0, far = 0, direct_bound = 0, far_bound = 0;
    for (const Link& link : links_[id]) {
      if (link.kind == LinkKind::after_tried) continue;
      direct |= bit(link.to);
      far |= all_[link.to];
      if (link.kind != LinkKind::bound_to) continue;
      direct_bound |= bit(link.to);
      far_bound |= bound_[link.to];
    }
    for (Link& link : links_[id]) {
      const std::uint64_t to = bit(link.to);
      if (to == 0) continue;
      switch (link.kind) {
        case LinkKind::after: link.is_telling = (far & to) == 0; break;
        case LinkKind::bound_to: link.is_telling = (far_bound & to) == 0; break;
        case LinkKind::after_tried: link.is_telling = ((far | direct) & to) == 0; break;
      }
    }
    all_[id] = far | direct;
    bound_[id] = far_bound | direct_bound;
    before_[id] += static_cast<std::size_t>(std::popcount(all_[id]));
    for (std::uint64_t rest = all_[id]; rest != 0; rest &= rest - 1)
      ++after_[first_ + static_cast<ServiceId>(std::countr_zero(rest))];
  }

  Links& links_;
  std::vector<std::size_t> before_, after_;
  std::vector<std::uint64_t> all_, bound_;  // of the present 64: those that come before, and those bound to
  ServiceId first_ = 0;
};

void add_groups(const Plan& plan, GraphModel& model) {
  std::map<std::string, Ids> members;
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    const std::string& name = plan.services[id].group_name;
    if (!name.empty()) members[name].push_back(id);
  }
  for (auto& [name, ids] : members) {
    if (ids.size() < 2) continue;
    for (const ServiceId id : ids) model.nodes[id].group = static_cast<std::uint32_t>(model.groups.size());
    model.groups.push_back({name, std::move(ids)});
  }
}

/// What one waits for, with links of one kind to all of another group taken together.
std::vector<Wait> waits_of(const std::vector<Link>& links, ServiceId id, const GraphModel& model) {
  struct Count {
    std::size_t links = 0;
    bool is_telling = false;
  };
  using Key = std::pair<LinkKind, std::uint32_t>;
  std::map<Key, Count> counts;
  for (const Link& link : links) {
    if (const auto group = model.nodes[link.to].group) {
      Count& count = counts[{link.kind, *group}];
      ++count.links;
      count.is_telling |= link.is_telling;
    }
  }
  std::vector<Wait> waits;
  for (const Link& link : links) {
    const auto group = model.nodes[link.to].group;
    if (group && group != model.nodes[id].group) {
      Count& count = counts[{link.kind, *group}];
      if (count.links == model.groups[*group].members.size()) {
        if (std::exchange(count.is_telling, false)) waits.push_back({link.kind, {End::Kind::group, *group}});
        continue;
      }
    }
    if (link.is_telling) waits.push_back({link.kind, {End::Kind::service, link.to}});
  }
  return waits;
}

void add_idle(const Plan& plan, const GraphRequest& request, GraphModel& model) {
  for (const Idle& idle : request.idle) model.nodes.at(idle.service).idle = idle;
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    if (!plan.services[id].enabled) model.nodes[id].idle = Idle{Idle::State::off, id, "enabled = false"};
  }
}

void add_gates(const Plan& plan, const Links& links, const Ancestry& ancestry, GraphModel& model) {
  std::vector<bool> is_linked(links.size(), false);
  for (ServiceId id = 0; id < links.size(); ++id) {
    for (const Link& link : links[id]) is_linked[id] = is_linked[link.to] = true;
  }
  const auto linked = static_cast<std::size_t>(std::ranges::count(is_linked, true));
  for (ServiceId id = 0; id < links.size(); ++id) {
    model.nodes[id].is_gate = is_linked[id] && plan.services[id].kind == Kind::service &&
                              ancestry.comparable(id) + 1 == linked && ancestry.followers(id) > 0;
  }
}

}  // namespace

GraphModel graph_model(const Plan& plan, const GraphRequest& request) {
  GraphModel model;
  model.nodes.resize(plan.services.size());
  Links links;
  links.reserve(plan.services.size());
  for (const Service& service : plan.services) links.push_back(links_of(service));
  const Ancestry ancestry(links);
  for (ServiceId id = 0; id < links.size(); ++id) {
    for (const Link& link : links[id])
      model.nodes[id].step = std::max(model.nodes[id].step, model.nodes[link.to].step + 1);
  }
  if (request.links == GraphLinks::all) {
    for (Link& link : links | std::views::join) link.is_telling = true;
  }
  add_groups(plan, model);
  for (ServiceId id = 0; id < links.size(); ++id) model.nodes[id].waits = waits_of(links[id], id, model);
  add_gates(plan, links, ancestry, model);
  add_idle(plan, request, model);
  return model;
}

std::string_view state_text(Idle::State state) {
  switch (state) {
    case Idle::State::off: return "off";
    case Idle::State::blocked: return "blocked";
  }
  return "";
}

std::string graph(const Plan& plan, const GraphRequest& request) {
  const GraphModel model = graph_model(plan, request);
  switch (request.format) {
    case GraphFormat::text: return graph_text(plan, model);
    case GraphFormat::dot: return graph_dot(plan, model);
    case GraphFormat::mermaid: return graph_mermaid(plan, model);
  }
  return "";
}

}  // namespace arizuko::plan
