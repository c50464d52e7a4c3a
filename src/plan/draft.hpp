// A plan while it is put together: services in the order of the file, links by name with their places.
#pragma once

#include <string>
#include <vector>

#include "reader.hpp"

namespace arizuko::plan {

inline constexpr std::size_t most_services = 4096;

/// A link to another service: `after`, `bound_to` or `after_tried`.
struct Link {
  std::size_t to = 0;  // index into Draft::services
  Location where;
  std::string key;  // "service.teled.after"
};

struct ServiceDraft {
  Service service;         // complete but for its links
  std::string key;         // "service.gated"
  std::uint32_t file = 0;  // with service.where: its place in the order of the file
  const Node* table = nullptr;
  std::vector<Link> after, bound_to, after_tried;  // `after` without what only bound_to names
};

struct Draft {
  Plan plan;  // pod and env; services come last
  std::vector<ServiceDraft> services;
  std::vector<Placed> ready_when;
  std::vector<std::size_t> asked_for;  // those of ready_when, as indexes into `services`
};

/// The first look: which services there are and on which ports, so that references can be replaced.
/// Names that are wrong or used twice are reported.
std::vector<ServiceDraft> list_services(const Node& root, Scope& scope, Problems& problems);

/// [pod]: `instance` and `data_dir` also go into the scope. ready_when stays a list of names.
void read_pod(const Node& root, Scope& scope, Draft& draft, Problems& problems);

/// [env]; what is generated is kept below `data_dir`.
EnvPolicy read_env(const Node& root, const Pod& pod, const Scope& scope, Problems& problems);

/// [agents]: its JSON also goes into the scope.
AgentPolicy read_agents(const Node& root, Scope& scope, Problems& problems);

/// What arizuko-docker reads: one line, since it travels in an environment.
std::string settings_text(const AgentPolicy& agents);

/// One entry of [env].sources.
Parsed<Source> parse_source(std::string_view text);

/// Everything of one service but its links.
void read_service(ServiceDraft& draft, const Pod& pod, const Scope& scope, Problems& problems);

/// `make_dirs` of one service: added to those of the pod.
void read_make_dirs(const ServiceDraft& draft, const Scope& scope, Pod& pod, Problems& problems);

/// Part of read_service: what the service sees of the environment, and what of it switches it on.
void read_values(const Reader& reader, Service& service);
/// The key whose value the service gets as `name`; `name` itself where nothing renames one.
std::string key_given_as(const std::string& name, const Service& service);

/// `.ready` or `.live`.
enum class Look { ready, live };
std::vector<Condition> read_conditions(const Reader& table, Look look);
/// True when at least one condition is written there, right or wrong.
bool names_condition(const Reader& table);

/// Names of `after`, `bound_to`, `after_tried` to links.
void read_links(Draft& draft, Scope& scope, Problems& problems);

/// What concerns more than one key: ports, cycles, the stop chain against grace, names of ready_when.
void check(const Node& root, Draft& draft, Problems& problems);

/// Part of it: whom http conditions ask, and which values they take.
void check_conditions(const Node& root, const Draft& draft, Problems& problems);

/// Part of it: services that get into each other's way: one name, one directory, one token, one port.
void check_accounts(const Node& root, const Draft& draft, Problems& problems);

/// Did the service write this key ("env.DATA_DIR") itself, or does it come from what it is like?
bool is_inherited(const ServiceDraft& service, std::string_view key);

/// Start order: what a service comes after is before it, else as in the file. Needs no cycle.
std::vector<std::size_t> start_order(const std::vector<ServiceDraft>& services);

}  // namespace arizuko::plan
