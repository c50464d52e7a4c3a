// What concerns more than one key: links between services, ports, cycles, the stop chain.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <queue>

#include "arizuko/plan/show.hpp"
#include "draft.hpp"
#include "roster.hpp"

namespace arizuko::plan {
namespace {

void refuse(Problems& problems, const Location& where, std::string key, std::string what, std::string fix) {
  problems.push_back({Severity::error, where, std::move(key), std::move(what), std::move(fix)});
}

// -------------------------------------------------------------------------------------------------
// Links

std::vector<Link> resolve_links(const Reader& reader, std::string_view key, std::size_t from,
                                const Roster& roster) {
  std::vector<Link> links;
  for (const Placed& entry : reader.list(key)) {
    const auto named = roster.named(entry, "service or task");
    if (!named) {
      reader.report(entry.where, reader.key_of(key), named.error().what, named.error().fix);
      continue;
    }
    const bool group = entry.text.starts_with('@');
    for (const std::size_t to : *named) {
      if (!group || to != from) links.push_back({to, entry.where, reader.key_of(key)});
    }
  }
  return links;
}

/// All links of one service, each neighbour once, whichever kind.
std::vector<const Link*> all_links(const ServiceDraft& service) {
  std::vector<const Link*> links;
  for (const auto* list : {&service.after, &service.bound_to, &service.after_tried}) {
    for (const Link& link : *list) links.push_back(&link);
  }
  return links;
}

void check_bound_to_tasks(const Draft& draft, Problems& problems) {
  for (const ServiceDraft& service : draft.services) {
    for (const Link& link : service.bound_to) {
      const Service& other = draft.services[link.to].service;
      if (other.kind != Kind::task) continue;
      problems.push_back({Severity::warning, link.where, link.key,
                          fmt::format("{} is a task, which is not started again once it is done", other.name),
                          "write it in after"});
    }
  }
}

// -------------------------------------------------------------------------------------------------
// Cycles

/// Walks along the links, depth first. A link back to what is still being walked closes a cycle.
/// Cycles that share a service are told once: breaking the first may break the others.
class CycleSearch {
 public:
  CycleSearch(const Draft& draft, Problems& problems)
      : services_(draft.services),
        state_(services_.size(), State::fresh),
        told_(services_.size(), false),
        problems_(problems) {}

  bool run() {
    for (std::size_t i = 0; i < services_.size(); ++i) {
      if (state_[i] == State::fresh) walk(i);
    }
    return found_;
  }

 private:
  enum class State { fresh, walking, walked };
  struct Step {
    std::size_t service;
    std::vector<const Link*> links;
    std::size_t next = 0;
  };

  void enter(std::size_t service) {
    state_[service] = State::walking;
    path_.push_back({service, all_links(services_[service])});
  }

  void walk(std::size_t start) {
    enter(start);
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next == step.links.size()) {
        state_[step.service] = State::walked;
        path_.pop_back();
        continue;
      }
      const Link& link = *step.links[step.next++];
      if (state_[link.to] == State::fresh) {
        enter(link.to);
      } else if (state_[link.to] == State::walking) {
        tell(link);
      }
    }
  }

  void tell(const Link& closing) {
    found_ = true;
    auto step = std::ranges::find(path_, closing.to, &Step::service);
    if (std::any_of(step, path_.end(), [this](const Step& s) { return told_[s.service]; })) return;
    std::string names;
    for (; step != path_.end(); ++step) {
      told_[step->service] = true;
      names += services_[step->service].service.name + " -> ";
    }
    refuse(
        problems_, closing.where, closing.key,
        fmt::format("a cycle: {}{}, so none of them could start", names, services_[closing.to].service.name),
        "remove one of these links");
  }

  const std::vector<ServiceDraft>& services_;
  std::vector<State> state_;
  std::vector<bool> told_;
  std::vector<Step> path_;
  Problems& problems_;
  bool found_ = false;
};

// -------------------------------------------------------------------------------------------------
// Ports

/// Two listeners of one port get along only on two different IPs.
bool collide(const Address& a, const Address& b) {
  const auto is_any = [](const std::string& ip) { return ip == "0.0.0.0" || ip == "::"; };
  return a.port == b.port && (a.ip == b.ip || is_any(a.ip) || is_any(b.ip));
}

void refuse_port(const Node& root, const ServiceDraft& service, const ServiceDraft& first,
                 Problems& problems) {
  const auto port = service.service.port;
  const auto key = service.key + ".port";
  const Location written = locate(root, key);
  const auto other = place_text(locate(root, first.key + ".port"));
  if (is_inherited(service, "port")) {
    refuse(problems, service.service.where, key,
           fmt::format("{}, inherited from {}, is already the port of {} at {}", port, place_text(written),
                       first.service.name, other),
           "give it its own: they share one network");
  } else {
    refuse(problems, written, key,
           fmt::format("{} is already the port of {} at {}", port, first.service.name, other),
           "give each its own: they share one network");
  }
}

void check_ports(const Node& root, const Draft& draft, Problems& problems) {
  std::map<std::uint16_t, const ServiceDraft*> owners;
  for (const ServiceDraft& service : draft.services) {
    const auto port = service.service.port;
    if (port == 0) continue;
    const auto [first, fresh] = owners.emplace(port, &service);
    if (fresh) continue;
    refuse_port(root, service, *first->second, problems);
  }
  const Pod& pod = draft.plan.pod;
  const auto against_services = [&](const std::optional<Address>& address, const std::string& key) {
    if (!address || !owners.contains(address->port)) return;
    const ServiceDraft& owner = *owners.at(address->port);
    refuse(problems, locate(root, key), key,
           fmt::format("{} is the port of {} at {}", address->port, owner.service.name,
                       place_text(locate(root, owner.key + ".port"))),
           "choose another port");
  };
  against_services(pod.probes, "pod.probes");
  against_services(pod.page, "pod.page");
  if (pod.probes && pod.page && collide(*pod.probes, *pod.page)) {
    refuse(problems, locate(root, "pod.page"), "pod.page",
           fmt::format("{} is already the port of pod.probes", pod.page->port), "choose another port");
  }
}

// -------------------------------------------------------------------------------------------------
// The stop chain

/// The time that stopping takes from a service down to the last of what it comes after.
struct Chain {
  Duration length{};
  std::optional<std::size_t> next;  // what is stopped after it, on the longest way
};

Duration stop_time(const Service& service) { return service.stop.timeout + service.stop.leftovers; }

/// For each service the longest chain of what it comes after. Of two that are linked both run at
/// the same time only when the earlier one is a service: a task is done before others start. What is
/// not enabled never runs, and nothing waits for it.
std::vector<Chain> chains_below(const std::vector<ServiceDraft>& services,
                                const std::vector<std::size_t>& order) {
  std::vector<Chain> below(services.size());
  for (const std::size_t i : order) {
    for (const Link* link : all_links(services[i])) {
      const Service& other = services[link->to].service;
      if (!other.enabled) continue;
      const Duration own = other.kind == Kind::task ? Duration{} : stop_time(other);
      if (below[link->to].length + own > below[i].length) below[i] = {below[link->to].length + own, link->to};
    }
  }
  return below;
}

void check_grace(const Node& root, const Draft& draft, Problems& problems) {
  const auto& services = draft.services;
  const auto below = chains_below(services, start_order(services));
  const auto total = [&](std::size_t i) {
    return services[i].service.enabled ? stop_time(services[i].service) + below[i].length : Duration{};
  };
  std::optional<std::size_t> worst;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (!worst || total(i) > total(*worst)) worst = i;
  }
  if (!worst || total(*worst) <= draft.plan.pod.grace) return;
  std::string chain;
  for (std::optional<std::size_t> i = worst; i; i = below[*i].next) {
    const Service& service = services[*i].service;
    if (i != worst && service.kind == Kind::task) continue;
    chain += fmt::format("{}{} {}", chain.empty() ? "" : " + ", service.name, to_text(stop_time(service)));
  }
  const auto sum = to_text(total(*worst));
  refuse(problems, locate(root, "pod.grace"), "pod.grace",
         fmt::format("{} is less than stopping can take, one after the other: {} = {}",
                     to_text(draft.plan.pod.grace), chain, sum),
         fmt::format("write at least \"{}\", or shorten stop.timeout or stop.leftovers", sum));
}

// -------------------------------------------------------------------------------------------------
// Services stay in the foreground

/// The word that sends the command into the background, as far as the plan alone tells: a switch, or a
/// shell's
/// `&` at the end.
std::optional<std::string_view> background_word(const std::vector<std::string>& command) {
  constexpr std::array<std::string_view, 5> switches = {"--daemon", "--daemonize", "-daemonize",
                                                        "--background", "--detach"};
  for (std::size_t i = 1; i < command.size(); ++i) {
    const std::string& word = command[i];
    const auto known = std::ranges::find(switches, word);
    if (known != switches.end()) return *known;
    if (command[i - 1] != "-c") continue;
    const std::size_t last = word.find_last_not_of(" \t\n;");
    const bool by_shell = last != word.npos && word[last] == '&' && (last == 0 || word[last - 1] != '&');
    if (by_shell) return "&";
  }
  return std::nullopt;
}

void check_foreground(const Draft& draft, Problems& problems) {
  for (const ServiceDraft& each : draft.services) {
    if (each.service.kind != Kind::service) continue;
    const auto word = background_word(each.service.command);
    if (!word) continue;
    problems.push_back(
        {Severity::warning, each.service.where, each.key + ".command",
         fmt::format("{} sends it into the background: its main process ends at once, and what it "
                     "leaves is killed",
                     quoted(*word)),
         "start it in the foreground"});
  }
}

// -------------------------------------------------------------------------------------------------
// What /readyz asks for

void check_ready_when(Draft& draft, Problems& problems) {
  const Roster roster{draft.services};
  for (const Placed& entry : draft.ready_when) {
    const auto named = roster.named(entry, "service");
    if (!named) {
      refuse(problems, entry.where, "pod.ready_when", named.error().what, named.error().fix);
      continue;
    }
    for (const std::size_t each : *named) {
      const Service& service = draft.services[each].service;
      if (service.kind == Kind::task) {
        refuse(problems, entry.where, "pod.ready_when",
               fmt::format("{} is a task, which is done and not ready",
                           entry.text.starts_with('@') ? service.name : quoted(entry.written)),
               "name the services that come after it");
      }
      draft.asked_for.push_back(each);
    }
  }
}

}  // namespace

void read_links(Draft& draft, Scope& scope, Problems& problems) {
  const Roster roster{draft.services};
  for (std::size_t i = 0; i < draft.services.size(); ++i) {
    ServiceDraft& service = draft.services[i];
    scope.self = service.service.name;
    const Reader reader{service.table, service.key, scope, Variables::refused, problems};
    service.after = resolve_links(reader, "after", i, roster);
    service.bound_to = resolve_links(reader, "bound_to", i, roster);
    service.after_tried = resolve_links(reader, "after_tried", i, roster);
  }
  scope.self.reset();
}

void check(const Node& root, Draft& draft, Problems& problems) {
  check_ports(root, draft, problems);
  check_ready_when(draft, problems);
  check_bound_to_tasks(draft, problems);
  check_foreground(draft, problems);
  check_conditions(root, draft, problems);
  check_accounts(root, draft, problems);
  if (!CycleSearch{draft, problems}.run()) check_grace(root, draft, problems);
}

bool is_inherited(const ServiceDraft& service, std::string_view key) {
  const Node* table = service.table;
  while (true) {
    const auto dot = key.find('.');
    const Entry* entry = table->find(key.substr(0, dot));
    if (entry == nullptr) return false;
    if (dot == key.npos) return entry->value.unit != service.table->unit;
    table = &entry->value;
    key.remove_prefix(dot + 1);
  }
}

std::vector<std::size_t> start_order(const std::vector<ServiceDraft>& services) {
  std::vector<std::size_t> waits_for(services.size());
  std::vector<std::vector<std::size_t>> followers(services.size());
  for (std::size_t i = 0; i < services.size(); ++i) {
    for (const Link* link : all_links(services[i])) {
      ++waits_for[i];
      followers[link->to].push_back(i);
    }
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> free;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (waits_for[i] == 0) free.push(i);
  }
  std::vector<std::size_t> order;
  while (!free.empty()) {
    const auto i = free.top();
    free.pop();
    order.push_back(i);
    for (const auto follower : followers[i]) {
      if (--waits_for[follower] == 0) free.push(follower);
    }
  }
  return order;
}

}  // namespace arizuko::plan
