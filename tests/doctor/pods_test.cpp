// `check --pod` over the manifests of pods/: each has a planted mistake, and says what must be found, and
// where.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "arizuko/doctor/pod.hpp"
#include "arizuko/host/sources/plan_files.hpp"
#include "planted.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

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

bool is(const Finding& finding, const Expected& expected) {
  return to_text(finding.severity) == expected.severity && finding.check == expected.check &&
         finding.where.line == expected.line && has(finding.what, expected.what);
}

}  // namespace

TEST_CASE("pods: every planted mistake is found in its line, and nothing else") {
  const std::vector<Planted> all = all_planted();
  CHECK(all.size() >= 95);
  for (const Planted& each : all) {
    CAPTURE(each.name);
    std::vector<Expected> expected = each.expected;
    for (const Finding& finding : check_text(each.name, each.text)) {
      const auto one =
          std::ranges::find_if(expected, [&](const Expected& some) { return is(finding, some); });
      CHECK_MESSAGE(one != expected.end(), to_text(finding.severity), " ", finding.check, " ", full(finding));
      if (one != expected.end()) expected.erase(one);
      CHECK_FALSE(finding.why.empty());
      CHECK_FALSE(finding.fix.empty());
    }
    for (const Expected& one : expected)
      FAIL_CHECK(each.name, ": not found: ", one.check, " ", one.line, " ", one.what);
  }
}

TEST_CASE("pods: every check has a planted mistake") {
  std::set<std::string, std::less<>> planted;
  for (const Planted& each : all_planted())
    for (const Expected& one : each.expected) planted.insert(one.check);
  for (const PodCheckEntry& each : all_pod_checks()) {
    CAPTURE(each.name);
    CHECK(planted.contains(each.name));
  }
}

TEST_CASE("pods: a change that changes nothing, or that fits nowhere or twice, is no manifest") {
  const planted::Lines base = {"a: 1", "b: 2", "a: 1"};
  const auto made = [&](const planted::Lines& change) {
    return planted::Patch("x.yaml", base, change).made().text;
  };
  CHECK(made({"-b: 2", "+b: 3"}) == "a: 1\nb: 3\na: 1\n");
  CHECK(made({" b: 2", "@", "-a: 1"}) == "a: 1\nb: 2\n");
  for (const planted::Lines& wrong :
       {planted::Lines{"-b: 2", "+b: 2"}, {" b: 2"}, {"-c: 3"}, {"-a: 1"}, {"b: 2"}})
    CHECK_THROWS_AS(made(wrong), std::runtime_error);
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
  std::string text = planted_text("sound.yaml");
  text.replace(text.find("INSTANCE_NAME: demo"), 19, "HOST_DATA_DIR: /var/lib/arizuko_demo");
  CHECK(has(only(check_text("elsewhere.yaml", text)).what, "nothing is mounted at /var/lib/arizuko_demo"));
}

TEST_CASE("pods: a name means what it names in its own namespace") {
  const auto in_namespace = [](std::string_view name) {
    std::string text = planted_text("sound.yaml");
    for (std::size_t at = 0; (at = text.find("metadata:\n  name", at)) != text.npos; at += 10)
      text.insert(at + 10, fmt::format("  namespace: {}\n", name));
    return text;
  };
  std::string other = in_namespace("b");
  other.replace(other.find("INSTANCE_NAME: demo"), 19, "HOST_DATA_DIR: /elsewhere");
  other.replace(other.find("targetPort: http"), 16, "targetPort: 9080");
  const Findings found = check_text("two.yaml", in_namespace("a") + "---\n" + other);
  CHECK(heads(found) == Heads{"error writable-paths", "error service"});
  for (const Finding& each : found) CHECK(each.where.line > 106 + 4 + 1);
}

TEST_CASE("pods: the start's patience is the plan's longest chain to what makes it ready") {
  const auto files = host::read_plan_files(ARIZUKO_SOURCE_DIR "/etc/arizuko.toml");
  REQUIRE(files);
  const auto plan =
      plan::load(*files, {{"task.seed.within", "1m"}}, [](std::string_view) { return std::nullopt; });
  REQUIRE(plan);
  CHECK(longest_start(*plan, {}) == std::chrono::minutes(1 + 3 + 1));  // seed, gated, proxyd
}

TEST_CASE(
    "pods: a container that names the other stock plan has the drop-ins of that one, and is no riddle") {
  std::string text = planted_text("sound.yaml");
  const auto manifest = read_manifest("sound.yaml", text);
  REQUIRE(manifest);
  const auto workloads = find_workloads(*manifest, nullptr);
  REQUIRE(workloads.size() == 1);
  CHECK(plan_of(*manifest, workloads.front()).path == "/etc/arizuko/arizuko.toml");
  CHECK(plan_of(*manifest, workloads.front(), "/etc/arizuko/arizuko-routd.toml").path ==
        "/etc/arizuko/arizuko-routd.toml");
  for (const std::string_view place : stock_places)
    CHECK(check_plan(*manifest, workloads.front(), {std::string(place), {}, {}}).empty());
  CHECK(heads(check_plan(*manifest, workloads.front(), {"/etc/arizuko/mine.toml", {}, {}})) ==
        Heads{"note plan"});
}

TEST_CASE("pods: what a published port gives away is said of the line that the plan is of (N3, T17)") {
  constexpr std::string_view todays = R"(
[service.routd]
command = ["routd"]
port = 9080
[service.timed]
command = ["timed"]
port = 8080
[service.proxyd]
command = ["proxyd"]
port = 8095
)";
  const auto plan = plan::load({{"plan.toml", std::string(todays)}}, {}, lookup_in({}));
  REQUIRE(plan);
  std::string text = planted_text("sound.yaml");
  text.replace(text.find("targetPort: http"), 16, "targetPort: 8080");
  text.insert(text.find("      containers:"), "      hostNetwork: true\n");
  const auto manifest = read_manifest("todays.yaml", text);
  REQUIRE(manifest);
  const auto workloads = find_workloads(*manifest, &*plan);
  REQUIRE(workloads.size() == 1);
  Findings found = check_pod(*manifest, workloads.front(), *plan, {});
  std::erase_if(found,
                [](const Finding& each) { return each.check != "service" && each.check != "namespaces"; });
  REQUIRE(heads(found) == Heads{"error namespaces", "error service"});
  for (const Finding& each : found) {
    CHECK(has(each.why, "X-User-Groups"));
    CHECK_FALSE(has(each.why, "gated"));
  }
}
