// From texts to a plan: parse and merge, inherit, look at the keys, read the values, check across.
#include "arizuko/plan/load.hpp"

#include <algorithm>
#include <tuple>

#include "draft.hpp"
#include "inheritance.hpp"
#include "keys.hpp"
#include "origins.hpp"
#include "templates.hpp"

namespace arizuko::plan {
namespace {

/// In the order in which the files were given, then by place; overrides and defaults last.
void sort_by_place(Problems& problems, const std::vector<File>& files) {
  using Rank = std::tuple<std::size_t, std::uint32_t, std::uint32_t, std::size_t>;
  std::vector<Rank> ranks;
  for (const Problem& problem : problems) {
    const auto file = std::ranges::find(files, problem.where.file, &File::path) - files.begin();
    ranks.emplace_back(static_cast<std::size_t>(file), problem.where.line, problem.where.column,
                       ranks.size());
  }
  std::ranges::sort(ranks);
  Problems sorted;
  for (const Rank& rank : ranks) sorted.push_back(std::move(problems[std::get<3>(rank)]));
  problems = std::move(sorted);
}

std::vector<ServiceId> ids(const std::vector<Link>& links, const std::vector<ServiceId>& position) {
  std::vector<ServiceId> out;
  for (const Link& link : links) {
    const ServiceId id = position[link.to];
    if (std::ranges::find(out, id) == out.end()) out.push_back(id);
  }
  return out;
}

/// Puts the services into start order and turns names into indexes.
Plan finish(Draft&& draft) {
  Plan plan = std::move(draft.plan);
  const auto order = start_order(draft.services);
  std::vector<ServiceId> position(order.size());
  for (std::size_t id = 0; id < order.size(); ++id) position[order[id]] = static_cast<ServiceId>(id);
  for (const std::size_t i : order) {
    ServiceDraft& from = draft.services[i];
    auto after = from.after;
    after.insert(after.end(), from.bound_to.begin(), from.bound_to.end());
    from.service.after = ids(after, position);
    from.service.bound_to = ids(from.bound_to, position);
    from.service.after_tried = ids(from.after_tried, position);
    plan.services.push_back(std::move(from.service));
  }
  for (const std::size_t asked : draft.asked_for) {
    const ServiceId id = position[asked];
    if (std::ranges::find(plan.pod.ready_when, id) == plan.pod.ready_when.end())
      plan.pod.ready_when.push_back(id);
  }
  return plan;
}

/// `pod.ready_when` unless the plan says otherwise: the essential services.
void default_ready_when(const Node& root, Plan& plan) {
  const Entry* pod = root.find("pod");
  if (pod != nullptr && pod->value.find("ready_when") != nullptr) return;
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    const Service& service = plan.services[id];
    if (service.kind == Kind::service && service.essential && service.enabled)
      plan.pod.ready_when.push_back(id);
  }
}

/// Templates into what is like them. False: no tree worth looking at is left.
bool inherit(Document& document, Problems& problems) {
  if (!resolve_templates(document, problems)) return false;
  take_away(document.root);
  refuse_idle_rests(document, problems);
  return true;
}

Draft read(const Node& root, const Lookup& environment, Problems& problems) {
  Draft draft;
  Scope scope;
  scope.environment = &environment;
  draft.services = list_services(root, scope, problems);
  read_pod(root, scope, draft, problems);
  draft.plan.env = read_env(root, draft.plan.pod, scope, problems);
  draft.plan.agents = read_agents(root, scope, problems);
  for (ServiceDraft& service : draft.services) {
    scope.self = service.service.name;
    read_service(service, draft.plan.pod, scope, problems);
    read_make_dirs(service, scope, draft.plan.pod, problems);
  }
  scope.self.reset();
  read_links(draft, scope, problems);
  return draft;
}

}  // namespace

std::expected<std::vector<Source>, Problems> early_sources(const std::vector<File>& files,
                                                           const std::vector<Override>& overrides,
                                                           const Lookup& environment) {
  Problems problems;
  const auto document = read_document(files, overrides, problems);
  if (!document) return std::unexpected(std::move(problems));
  const Entry* env = document->root.find("env");
  const Entry* list = env == nullptr ? nullptr : env->value.find("sources");
  if (list == nullptr) return std::vector{Source{Source::Kind::environment, ""}};
  Scope scope;
  scope.environment = &environment;
  std::vector<Source> sources;
  for (const Node& item : list->value.items) {
    const Entry* inner = item.find("source");
    const Node& written = inner == nullptr ? item : inner->value;
    if (written.kind != Node::Kind::string) continue;
    const auto pieces = parse_references(written.text);
    if (!pieces || needs_plan(*pieces)) continue;
    const auto text = expand(*pieces, scope, Variables::allowed);
    if (!text) continue;
    auto source = parse_source(*text);
    if (!source) continue;
    if (const Entry* only = item.find("only")) {
      source->only.emplace();
      for (const Node& name : only->value.items) source->only->push_back(name.text);
    }
    sources.push_back(std::move(*source));
  }
  return sources;
}

std::expected<Plan, Problems> load(const std::vector<File>& files, const std::vector<Override>& overrides,
                                   const Lookup& environment) {
  Problems problems;
  auto document = read_document(files, overrides, problems);
  if (document && !inherit(*document, problems)) document.reset();
  if (!document) {
    sort_by_place(problems, files);
    return std::unexpected(std::move(problems));
  }
  const Node& root = document->root;
  check_keys(root, problems);
  Draft draft = read(root, environment, problems);
  check(root, draft, problems);
  tell_origins(*document, problems);
  sort_by_place(problems, files);
  if (any_error(problems)) return std::unexpected(std::move(problems));
  Plan plan = finish(std::move(draft));
  default_ready_when(root, plan);
  plan.warnings = std::move(problems);
  return plan;
}

}  // namespace arizuko::plan
