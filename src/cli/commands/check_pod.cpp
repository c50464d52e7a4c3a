#include "check_pod.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "arizuko/doctor/pod.hpp"
#include "arizuko/yaml/tree.hpp"
#include "cli/prepare.hpp"
#include "findings.hpp"

namespace arizuko::cli {

namespace {

/// The whole file, or stdin for "-"; the error is a sentence.
std::expected<std::string, std::string> read_all(const std::string& file) {
  std::FILE* stream = file == "-" ? stdin : std::fopen(file.c_str(), "re");
  if (stream == nullptr) return std::unexpected(fmt::format("{}: {}", file, std::strerror(errno)));
  std::string text;
  // One byte more than is taken, so that too much is seen as such.
  text.resize(yaml::most_bytes + 1);
  text.resize(std::fread(text.data(), 1, text.size(), stream));
  const bool failed = std::ferror(stream) != 0;
  const int reason = errno;
  if (stream != stdin) std::fclose(stream);
  if (failed) return std::unexpected(fmt::format("{}: {}", file, std::strerror(reason)));
  return text;
}

/// The plan as the pod will see it: with the manifest's own files and values, and nothing of this machine's.
std::expected<Prepared, Refusal> prepare_for(PlanOptions plan, const Elsewhere& files,
                                             std::vector<std::string> environment,
                                             const std::vector<plan::Override>& overrides) {
  std::vector<char*> entries;
  for (std::string& each : environment) entries.push_back(each.data());
  entries.push_back(nullptr);
  plan.elsewhere = files;
  plan.overrides.insert(plan.overrides.begin(), overrides.begin(), overrides.end());
  return prepare(plan, Values::optional, entries.data());
}

/// Twice: what its ConfigMaps mean depends on the directories that the plan reads.
std::expected<Prepared, Refusal> prepare_for(const PlanOptions& plan, const doctor::Manifest& manifest,
                                             const doctor::Workload& workload, const Elsewhere& files) {
  const auto overrides = doctor::overrides_of(manifest, workload);
  const auto first = prepare_for(plan, files, doctor::environment_of(manifest, workload, {}), overrides);
  if (!first) return first;
  std::vector<std::string> directories;
  for (const plan::Source& each : first->plan.env.sources) {
    if (each.kind == plan::Source::Kind::directory) directories.push_back(each.path);
  }
  return prepare_for(plan, files, doctor::environment_of(manifest, workload, directories), overrides);
}

/// Where the image has the stock plan that this machine has as `file`; a copy of another name stands for that
/// of the gated line.
std::string in_the_image(const std::string& file) {
  std::string place = "/etc/arizuko/" + file.substr(file.rfind('/') + 1);
  return doctor::is_stock_place(place) ? place : std::string(doctor::stock_places.front());
}

/// This machine's copy of the stock plan that the image has at `place`; empty: none, so the usual one.
std::string stock_plan_at(const std::string& place) {
  if (!doctor::is_stock_place(place)) return {};
  for (const StockPlan& each : stock_plans(plan_directories(own_executable()))) {
    if (in_the_image(each.file) == place) return each.file;
  }
  return {};
}

/// A pod that names no plan takes the one that fits its image, which is not to be seen from here.
doctor::Finding doubt(const doctor::Manifest& manifest, const PlanChoice& choice) {
  return {doctor::Severity::note,
          "plan",
          {manifest.file, 0, 0},
          "",
          fmt::format("the container names no plan, and was held against {}", choice.file),
          "with today's daemons in its image it would take the other one",
          fmt::format("ask in the image itself, or name it: {}", ways_to_name(choice))};
}

Refusal unreadable(plan::Problem problem) { return {exit_code::wrong_plan, {std::move(problem)}, {}}; }

int print_unreadable(const Refusal& refused, Output output, const Console& console) {
  if (output == Output::json) return print_refusal(refused, output, console);
  console.err(refused.text());
  return exit_code::wrong_plan;
}

}  // namespace

int check_pod(const std::string& file, const PlanOptions& plan, Output output, const Console& console) {
  const auto text = read_all(file);
  if (!text) return print_unreadable({exit_code::wrong_plan, {}, {text.error()}}, output, console);
  const auto manifest = doctor::read_manifest(file, *text);
  if (!manifest) return print_unreadable(unreadable(manifest.error()), output, console);

  doctor::Findings found;
  const auto stock = prepare_for(plan, Elsewhere{}, {}, {});
  const auto workloads = doctor::find_workloads(*manifest, stock ? &stock->plan : nullptr);
  if (workloads.empty()) found.push_back(doctor::no_workload(*manifest));
  for (const doctor::Workload& workload : workloads) {
    const std::string usual =
        stock ? in_the_image(stock->choice.file) : std::string(doctor::stock_places.front());
    const doctor::PodPlan of_pod = doctor::plan_of(*manifest, workload, usual);
    Elsewhere files{{}, of_pod.drop_ins};
    PlanOptions its = plan;
    if (plan.plan.empty()) {
      files.plan = of_pod.plan;
      its.plan = stock_plan_at(of_pod.path);
      append(found, doctor::check_plan(*manifest, workload, of_pod));
      if (!of_pod.plan && stock && of_pod.path == usual && is_doubtful(stock->choice))
        found.push_back(doubt(*manifest, stock->choice));
    }
    const auto prepared = prepare_for(its, *manifest, workload, files);
    if (!prepared) return print_refusal(prepared.error(), output, console);
    append(found, doctor::check_pod(*manifest, workload, prepared->plan, prepared->snapshot));
  }
  return print_findings(found, names_of(doctor::all_pod_checks()), output, console);
}

}  // namespace arizuko::cli
