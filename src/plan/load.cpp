// From files to a plan: parse and merge, look at the keys, read the values, check across.
#include "arizuko/plan/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "draft.hpp"
#include "keys.hpp"

namespace arizuko::plan {
namespace {

namespace fs = std::filesystem;

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
  for (const Placed& entry : draft.ready_when) plan.pod.ready_when.push_back(plan.find(entry.text).value());
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

Problem file_problem(std::string path, std::string what, std::string fix) {
  return {Severity::error, {std::move(path), 0, 0}, "", std::move(what), std::move(fix)};
}

/// At most one byte more than a plan may have: the parser refuses the rest by its size.
std::optional<std::string> read_text(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return std::nullopt;
  std::ifstream in{path, std::ios::binary};
  if (!in) return std::nullopt;
  std::string text(most_file_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

/// The *.toml of a directory in name order. Hidden ones are left out: editors and the kubelet put theirs
/// there.
std::expected<std::vector<std::string>, std::error_code> drop_ins(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  if (!fs::exists(directory, error)) return names;
  fs::directory_iterator entry{directory, error};
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (name.ends_with(".toml") && !name.starts_with('.')) names.push_back(entry->path().string());
  }
  if (error) return std::unexpected(error);
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::expected<std::vector<File>, Problems> read_files(const std::string& path) {
  std::vector<std::string> paths{path};
  Problems problems;
  if (auto more = drop_ins(path + ".d")) {
    paths.insert(paths.end(), more->begin(), more->end());
  } else {
    problems.push_back(
        file_problem(path + ".d", "cannot be listed: " + more.error().message(), "check its permissions"));
  }
  if (paths.size() > most_files) {
    problems.push_back(file_problem(path + ".d", fmt::format("holds {} files", paths.size() - 1),
                                    fmt::format("a plan can have {} with the plan file", most_files)));
    paths.resize(1);
  }
  std::vector<File> files;
  for (std::string& each : paths) {
    if (auto text = read_text(each)) {
      files.push_back({std::move(each), std::move(*text)});
    } else {
      problems.push_back(
          file_problem(each, "the file is missing or cannot be read",
                       each == path ? "name the plan with --plan FILE" : "check its permissions"));
    }
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return files;
}

std::expected<std::vector<Source>, Problems> early_sources(const std::vector<File>& files,
                                                           const std::vector<Override>& overrides,
                                                           const Lookup& environment) {
  Problems problems;
  const auto root = read_document(files, overrides, problems);
  if (!root) return std::unexpected(std::move(problems));
  const Entry* env = root->find("env");
  const Entry* list = env == nullptr ? nullptr : env->value.find("sources");
  if (list == nullptr) return std::vector{Source{Source::Kind::environment, ""}};
  Scope scope;
  scope.environment = &environment;
  std::vector<Source> sources;
  for (const Node& item : list->value.items) {
    if (item.kind != Node::Kind::string) continue;
    const auto pieces = parse_references(item.text);
    if (!pieces || needs_plan(*pieces)) continue;
    const auto text = expand(*pieces, scope, Variables::allowed);
    if (!text) continue;
    if (auto source = parse_source(*text)) sources.push_back(std::move(*source));
  }
  return sources;
}

std::expected<Plan, Problems> load(const std::vector<File>& files, const std::vector<Override>& overrides,
                                   const Lookup& environment) {
  Problems problems;
  const auto root = read_document(files, overrides, problems);
  if (!root) {
    sort_by_place(problems, files);
    return std::unexpected(std::move(problems));
  }
  check_keys(*root, problems);
  Draft draft;
  Scope scope;
  scope.environment = &environment;
  draft.services = list_services(*root, scope, problems);
  read_pod(*root, scope, draft, problems);
  draft.plan.env = read_env(*root, scope, problems);
  draft.plan.agents = read_agents(*root, scope, problems);
  for (ServiceDraft& service : draft.services) read_service(service, draft.plan.pod, scope, problems);
  read_links(draft, scope, problems);
  check(*root, draft, problems);
  sort_by_place(problems, files);
  if (any_error(problems)) return std::unexpected(std::move(problems));
  Plan plan = finish(std::move(draft));
  default_ready_when(*root, plan);
  plan.warnings = std::move(problems);
  return plan;
}

}  // namespace arizuko::plan
