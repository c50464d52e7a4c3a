// `doctor`: what is wrong on this machine or in this pod. `check --pod`: the same of a manifest.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/doctor/pod.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "findings.hpp"
#include "prepare.hpp"

namespace arizuko::cli {

namespace {

/// What `run` would refuse although the plan is good: a source that cannot be read.
doctor::Findings unusable_sources(const PlanOptions& options) {
  doctor::Findings found;
  const auto strict = prepare(options, Values::needed, environ);
  if (strict || !strict.error().problems.empty()) return found;
  for (const std::string& line : strict.error().lines) {
    found.push_back({doctor::Severity::error, "sources", {}, "", line, "`run` ends with exit 78", ""});
  }
  return found;
}

/// Values that nobody can be given: the trouble of those who take them.
doctor::Findings unusable_values(const Prepared& prepared) {
  doctor::Findings found;
  for (const auto& [key, why] : prepared.snapshot.unusable) {
    std::string takers;
    for (const plan::Service& each : prepared.plan.services) {
      if (std::ranges::binary_search(env::scope(prepared.plan, each), key))
        takers += (takers.empty() ? "" : ", ") + each.name;
    }
    if (takers.empty()) continue;
    found.push_back({doctor::Severity::error,
                     "sources",
                     {},
                     key,
                     fmt::format("{}: {}", key, why),
                     fmt::format("what takes it does not start: {}", takers),
                     "mend it in its source"});
  }
  return found;
}

doctor::Findings plan_warnings(const plan::Plan& plan) {
  doctor::Findings found;
  for (const plan::Problem& each : plan.warnings) {
    found.push_back({doctor::Severity::warning, "plan", each.where, each.key, each.what, "", each.fix});
  }
  return found;
}

/// What the last run remembered of guarded values. Reads only.
host::GuardedStore guarded_store(const Prepared& prepared) {
  const char* accepted = std::getenv(host::accept_guarded_variable);
  return {host::StateDir::at(prepared.plan.pod.data_dir + "/.arizuko-init"),
          accepted == nullptr ? "" : accepted};
}

template <typename Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& each : entries) names.emplace_back(each.name);
  return names;
}

}  // namespace

int doctor(const DoctorOptions& options, const Console& console) {
  const auto prepared = prepare(options.plan, Values::optional, environ);
  if (!prepared) return print_refusal(prepared.error(), options.output, console);
  host::GuardedStore store = guarded_store(*prepared);
  doctor::Context context{prepared->plan, prepared->snapshot, doctor::this_user(),
                          store.unlike_last_run(prepared->plan.env.guarded,
                                                env::seen_values(prepared->plan, prepared->plan.env.guarded,
                                                                 prepared->snapshot))};
  context.fingerprints_known = !store.knows_nothing();
  context.groups = host::ControlGroups::delegated();
  doctor::Findings found = unusable_sources(options.plan);
  append(found, unusable_values(*prepared));
  append(found, plan_warnings(prepared->plan));
  append(found, doctor::run_all(context));
  std::vector<std::string> names = names_of(doctor::all_checks());
  names.insert(names.begin(), {"plan", "sources"});
  return print_findings(found, names, options.output, console);
}

// ---------------------------------------------------------------------------------------------

namespace {

/// The whole file, or stdin for "-"; the error is a sentence.
std::expected<std::string, std::string> read_all(const std::string& file) {
  std::FILE* stream = file == "-" ? stdin : std::fopen(file.c_str(), "re");
  if (stream == nullptr) return std::unexpected(fmt::format("{}: {}", file, std::strerror(errno)));
  std::string text;
  // One byte more than is taken, so that too much is seen as such.
  text.resize(doctor::max_manifest_bytes + 1);
  text.resize(std::fread(text.data(), 1, text.size(), stream));
  const bool failed = std::ferror(stream) != 0;
  const int reason = errno;
  if (stream != stdin) std::fclose(stream);
  if (failed) return std::unexpected(fmt::format("{}: {}", file, std::strerror(reason)));
  return text;
}

/// The plan as the pod will see it: with the manifest's own files and values, and nothing of this machine's.
std::expected<Prepared, Refusal> prepare_for(const CheckOptions& options, const Elsewhere& files,
                                             std::vector<std::string> environment,
                                             const std::vector<plan::Override>& overrides) {
  std::vector<char*> entries;
  for (std::string& each : environment) entries.push_back(each.data());
  entries.push_back(nullptr);
  PlanOptions plan = options.plan;
  plan.elsewhere = files;
  plan.overrides.insert(plan.overrides.begin(), overrides.begin(), overrides.end());
  return prepare(plan, Values::optional, entries.data());
}

/// Twice: what its ConfigMaps mean depends on the directories that the plan reads.
std::expected<Prepared, Refusal> prepare_for(const CheckOptions& options, const doctor::Manifest& manifest,
                                             const doctor::Workload& workload, const Elsewhere& files) {
  const auto overrides = doctor::overrides_of(manifest, workload);
  const auto first = prepare_for(options, files, doctor::environment_of(manifest, workload, {}), overrides);
  if (!first) return first;
  std::vector<std::string> directories;
  for (const plan::Source& each : first->plan.env.sources) {
    if (each.kind == plan::Source::Kind::directory) directories.push_back(each.path);
  }
  return prepare_for(options, files, doctor::environment_of(manifest, workload, directories), overrides);
}

Refusal unreadable(plan::Problem problem) { return {exit_code::wrong_plan, {std::move(problem)}, {}}; }

int print_unreadable(const Refusal& refused, const CheckOptions& options, const Console& console) {
  if (options.output == Output::json) return print_refusal(refused, options.output, console);
  console.err(refused.text());
  return exit_code::wrong_plan;
}

}  // namespace

int check_pod(const CheckOptions& options, const Console& console) {
  const auto text = read_all(options.pod);
  if (!text) return print_unreadable({exit_code::wrong_plan, {}, {text.error()}}, options, console);
  const auto manifest = doctor::read_manifest(options.pod, *text);
  if (!manifest) return print_unreadable(unreadable(manifest.error()), options, console);

  doctor::Findings found;
  const auto stock = prepare_for(options, Elsewhere{}, {}, {});
  const auto workloads = doctor::find_workloads(*manifest, stock ? &stock->plan : nullptr);
  if (workloads.empty()) found.push_back(doctor::no_workload(*manifest));
  for (const doctor::Workload& workload : workloads) {
    const doctor::PodPlan plan = doctor::plan_of(*manifest, workload);
    Elsewhere files{{}, plan.drop_ins};
    if (options.plan.plan.empty()) {
      files.plan = plan.plan;
      append(found, doctor::check_plan(*manifest, workload, plan));
    }
    const auto prepared = prepare_for(options, *manifest, workload, files);
    if (!prepared) return print_refusal(prepared.error(), options.output, console);
    append(found, doctor::check_pod(*manifest, workload, prepared->plan, prepared->snapshot));
  }
  return print_findings(found, names_of(doctor::all_pod_checks()), options.output, console);
}

}  // namespace arizuko::cli
