// `check --pod` over pods/*.yaml: a planted mistake a file, and beside it what must be found, where.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "arizuko/doctor/pod.hpp"
#include "arizuko/host/sources/plan_files.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

const std::string directory = ARIZUKO_SOURCE_DIR "/tests/doctor/pods";

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What the manifest itself says of the environment; the first of a name wins, as in environ.
plan::Lookup lookup_in(const std::vector<std::string>& environment) {
  return [environment](std::string_view name) -> std::optional<std::string> {
    for (const std::string& each : environment) {
      if (each.starts_with(name) && each.size() > name.size() && each[name.size()] == '=')
        return each.substr(name.size() + 1);
    }
    return std::nullopt;
  };
}

Findings check_text(const std::string& name, std::string_view text) {
  const auto manifest = read_manifest(name, text);
  REQUIRE_MESSAGE(manifest, plan::to_text(manifest.error()));
  const auto files = host::read_plan_files(ARIZUKO_SOURCE_DIR "/etc/arizuko.toml");
  REQUIRE(files);
  const auto stock = plan::load(*files, {}, lookup_in({}));
  REQUIRE(stock);
  const std::vector<Workload> workloads = find_workloads(*manifest, &*stock);
  if (workloads.empty()) return {no_workload(*manifest)};
  Findings all;
  for (const Workload& workload : workloads) {
    const PodPlan its = plan_of(*manifest, workload);
    append(all, check_plan(*manifest, workload, its));
    std::vector<plan::File> with = its.plan ? std::vector{*its.plan} : *files;
    with.insert(with.end(), its.drop_ins.begin(), its.drop_ins.end());
    const std::vector<std::string> environment =
        environment_of(*manifest, workload, {"/etc/arizuko/config", "/etc/arizuko/secrets"});
    const auto plan = plan::load(with, overrides_of(*manifest, workload), lookup_in(environment));
    REQUIRE_MESSAGE(plan, plan::to_text(plan.error().front()));
    env::Snapshot snapshot;
    for (const std::string& each : environment) {
      const std::size_t equals = each.find('=');
      snapshot.values[each.substr(0, equals)] = {each.substr(equals + 1), "environment"};
    }
    append(all, check_pod(*manifest, workload, *plan, snapshot));
  }
  return all;
}

struct Expected {
  std::string severity, check, what;
  std::uint32_t line = 0;
};

/// "# finds: error grace 17 40 s, and the plan"
std::vector<Expected> expected_of(const std::string& text) {
  std::vector<Expected> all;
  std::istringstream lines(text);
  constexpr std::string_view mark = "# finds: ";
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(mark) || line.substr(mark.size()) == "nothing") continue;
    std::istringstream words(line.substr(mark.size()));
    Expected one;
    words >> one.severity >> one.check >> one.line >> std::ws;
    std::getline(words, one.what);
    all.push_back(one);
  }
  return all;
}

bool is(const Finding& finding, const Expected& expected) {
  return to_text(finding.severity) == expected.severity && finding.check == expected.check &&
         finding.where.line == expected.line && has(finding.what, expected.what);
}

}  // namespace

TEST_CASE("pods: every planted mistake is found in its line, and nothing else") {
  std::vector<std::string> names;
  for (const auto& each : std::filesystem::directory_iterator(directory))
    names.push_back(each.path().filename());
  std::ranges::sort(names);
  CHECK(names.size() >= 60);
  for (const std::string& name : names) {
    const std::string text = read(directory + '/' + name);
    REQUIRE_MESSAGE(has(text, "# finds: "), name);
    std::vector<Expected> expected = expected_of(text);
    for (const Finding& finding : check_text(name, text)) {
      const auto one =
          std::ranges::find_if(expected, [&](const Expected& each) { return is(finding, each); });
      CHECK_MESSAGE(one != expected.end(), to_text(finding.severity), " ", finding.check, " ", full(finding));
      if (one != expected.end()) expected.erase(one);
      CHECK_FALSE(finding.why.empty());
      CHECK_FALSE(finding.fix.empty());
    }
    for (const Expected& each : expected)
      FAIL_CHECK(name, ": not found: ", each.check, " ", each.line, " ", each.what);
  }
}

TEST_CASE("pods: every check has a planted mistake") {
  std::string all;
  for (const auto& each : std::filesystem::directory_iterator(directory)) all += read(each.path());
  for (const PodCheckEntry& each : all_pod_checks()) {
    CAPTURE(each.name);
    const bool planted = has(all, fmt::format("# finds: error {} ", each.name)) ||
                         has(all, fmt::format("# finds: warning {} ", each.name)) ||
                         has(all, fmt::format("# finds: note {} ", each.name));
    CHECK(planted);
  }
}

TEST_CASE("pods: Lists that hold each other again and again are refused, not walked through") {
  std::string text = "x0: &x0 {kind: Pod}\n";
  for (int i = 1; i < 40; ++i)
    text += fmt::format("x{}: &x{} {{kind: List, items: [*x{}, *x{}]}}\n", i, i, i - 1, i - 1);
  const auto manifest = read_manifest("bomb.yaml", text + "kind: List\nitems: [*x39]\n");
  REQUIRE_FALSE(manifest);
  CHECK(plan::to_text(manifest.error()) == "bomb.yaml:1:1: more than 10000 resources");
}

TEST_CASE("pods: a template is refused in its line, with what renders it") {
  const auto manifest = read_manifest("chart.yaml", "x: {a: {{ .Values.name }}}\n");
  REQUIRE_FALSE(manifest);
  CHECK(plan::to_text(manifest.error()).starts_with("chart.yaml:1:"));
  CHECK(has(plan::to_text(manifest.error()), "helm template"));
}

TEST_CASE("pods: nothing at all is told so, for what should have written it has failed") {
  CHECK(has(only(check_text("empty.yaml", "")).what, "there is no resource in it"));
}

TEST_CASE("pods: the manifest's own values decide the data directory") {
  std::string text = read(directory + "/sound.yaml");
  text.replace(text.find("INSTANCE_NAME: demo"), 19, "HOST_DATA_DIR: /var/lib/arizuko_demo");
  CHECK(has(only(check_text("elsewhere.yaml", text)).what, "nothing is mounted at /var/lib/arizuko_demo"));
}

TEST_CASE("pods: the start's patience is the plan's longest chain to what makes it ready") {
  const auto files = host::read_plan_files(ARIZUKO_SOURCE_DIR "/etc/arizuko.toml");
  REQUIRE(files);
  const auto plan =
      plan::load(*files, {{"task.seed.within", "1m"}}, [](std::string_view) { return std::nullopt; });
  REQUIRE(plan);
  CHECK(longest_start(*plan, {}) == std::chrono::minutes(1 + 3 + 1));  // seed, gated, proxyd
}
