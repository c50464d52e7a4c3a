#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/difference.hpp"
#include "arizuko/env/name.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/env/snapshot.hpp"

using namespace arizuko;
using namespace arizuko::env;

namespace {

Snapshot snapshot_of(std::initializer_list<std::pair<std::string, std::string>> values) {
  Snapshot snapshot;
  for (const auto& [name, text] : values) snapshot.values[name] = {.text = text, .source = "environment"};
  return snapshot;
}

plan::Template text(std::string literal) { return {.parts = {std::move(literal)}}; }
plan::Template reference(std::string name, std::optional<std::string> fallback = std::nullopt) {
  return {.parts = {plan::EnvReference{.name = std::move(name), .fallback = std::move(fallback)}}};
}

std::string show(const Environment& environment) {
  std::string shown;
  for (const auto& [name, value] : environment) shown += fmt::format("{}={}\n", name, value);
  return shown;
}

plan::Plan plan_with_common(std::vector<std::string> common) {
  plan::Plan plan;
  plan.env.common = std::move(common);
  plan.pod.path = "/usr/bin:/bin";
  return plan;
}

}  // namespace

TEST_CASE("name: a variable's name is what every shell takes") {
  for (const char* name : {"A", "_", "a_b", "API_PORT", "x9", "_0"}) CHECK_MESSAGE(is_valid_name(name), name);
  for (const char* name : {"", "9a", "a-b", "a.b", "a b", "A=", "\xC3\xA4", "BASH_FUNC_x%%", "a\n"}) {
    CHECK_MESSAGE(!is_valid_name(name), name);
  }
  CHECK(is_valid_name(std::string(128, 'A')));
  CHECK_FALSE(is_valid_name(std::string(129, 'A')));
}

TEST_CASE("name: a value has no NUL and fits into one argument of execve") {
  CHECK(is_valid_value(""));
  CHECK(is_valid_value("\xFF\n\t"));
  CHECK(is_valid_value(std::string(max_value_bytes, 'x')));
  CHECK_FALSE(is_valid_value(std::string(max_value_bytes + 1, 'x')));
  CHECK_FALSE(is_valid_value(std::string_view("a\0b", 3)));
}

TEST_CASE("snapshot: an empty value is set, but there is nothing in it") {
  const Snapshot snapshot = snapshot_of({{"A", "x"}, {"B", ""}});
  REQUIRE(snapshot.find("A") != nullptr);
  CHECK(*snapshot.find("A") == "x");
  CHECK(snapshot.find("B") != nullptr);
  CHECK(snapshot.find("C") == nullptr);
  CHECK(snapshot.has("A"));
  CHECK_FALSE(snapshot.has("B"));
  CHECK_FALSE(snapshot.has("C"));
}

TEST_CASE("expand: an unset or empty variable gives its fallback, or nothing") {
  const Snapshot snapshot = snapshot_of({{"A", "x"}, {"EMPTY", ""}});
  CHECK(expand(text("plain"), snapshot) == "plain");
  CHECK(expand(reference("A"), snapshot) == "x");
  CHECK(expand(reference("A", "y"), snapshot) == "x");
  CHECK(expand(reference("EMPTY", "y"), snapshot) == "y");
  CHECK(expand(reference("NONE", "y"), snapshot) == "y");
  CHECK(expand(reference("NONE"), snapshot).empty());
  CHECK(expand({}, snapshot).empty());
  const plan::Template mixed{
      .parts = {"http://", plan::EnvReference{"A", {}}, ":", plan::EnvReference{"P", "80"}}};
  CHECK(expand(mixed, snapshot) == "http://x:80");
}

TEST_CASE("compose: a child gets common, take, need and env, and nothing else of the pod (T19, T20)") {
  const auto plan = plan_with_common({"TZ", "LOG_LEVEL"});
  plan::Service service;
  service.take = {"HOST_APP_DIR", "NOT_SET"};
  service.need = {"CHANNEL_SECRET"};
  service.env = {{"API_PORT", text("9080")}, {"URL", reference("BASE")}};
  const Snapshot snapshot = snapshot_of({{"TZ", "UTC"},
                                         {"HOST_APP_DIR", "/app"},
                                         {"CHANNEL_SECRET", "s"},
                                         {"BASE", "http://x"},
                                         {"API_PORT", "tcp://10.0.0.1:80"},
                                         {"DASH_PORT", "tcp://10.0.0.2:80"},
                                         {"DATABASE", "/elsewhere"},
                                         {"PATH", "/pod/bin"}});
  CHECK(show(compose(plan, service, snapshot)) ==
        "API_PORT=9080\nCHANNEL_SECRET=s\nHOST_APP_DIR=/app\nPATH=/usr/bin:/bin\nTZ=UTC\nURL=http://x\n");
}

TEST_CASE("compose: env wins over take and common, also when it says nothing") {
  const auto plan = plan_with_common({"A", "B", "C"});
  plan::Service service;
  service.take = {"A", "B"};
  service.env = {{"A", text("of env")}, {"B", reference("UNSET")}, {"C", text("")}};
  const Snapshot snapshot = snapshot_of({{"A", "1"}, {"B", "2"}, {"C", "3"}});
  CHECK(show(compose(plan, service, snapshot)) == "A=of env\nPATH=/usr/bin:/bin\n");
}

TEST_CASE("compose: an empty value that is taken stays set, so that no .env fills it in (T14)") {
  plan::Service service;
  service.take = {"AUTH_SECRET"};
  CHECK(show(compose(plan_with_common({}), service, snapshot_of({{"AUTH_SECRET", ""}}))) ==
        "AUTH_SECRET=\nPATH=/usr/bin:/bin\n");
}

TEST_CASE("compose: PATH is the pod's unless the service sets or takes its own") {
  const auto plan = plan_with_common({});
  const Snapshot snapshot = snapshot_of({{"PATH", "/taken"}});
  plan::Service plain;
  plan::Service takes;
  takes.take = {"PATH"};
  plan::Service sets;
  sets.take = {"PATH"};
  sets.env = {{"PATH", text("/set")}};
  CHECK(show(compose(plan, plain, snapshot)) == "PATH=/usr/bin:/bin\n");
  CHECK(show(compose(plan, takes, snapshot)) == "PATH=/taken\n");
  CHECK(show(compose(plan, takes, snapshot_of({{"PATH", ""}}))) == "PATH=/usr/bin:/bin\n");
  CHECK(show(compose(plan, sets, snapshot)) == "PATH=/set\n");
}

TEST_CASE("enabled: all conditions must be met, and the first that is not is named without its value") {
  plan::Service service;
  const Snapshot snapshot = snapshot_of({{"TOKEN", "secret"}, {"ON", "true"}, {"EMPTY", ""}});
  CHECK(enabled(service, snapshot));
  CHECK(why_disabled(service, snapshot).empty());
  const auto why = [&](std::vector<plan::EnabledWhen> conditions) {
    service.enabled_when = std::move(conditions);
    const std::string reason = why_disabled(service, snapshot);
    CHECK(enabled(service, snapshot) == reason.empty());
    return reason;
  };
  CHECK(why({{"TOKEN", {}}, {"ON", "true"}}).empty());
  CHECK(why({{"TOKEN", {}}, {"TELEGRAM_BOT_TOKEN", {}}}) == "TELEGRAM_BOT_TOKEN is not set");
  CHECK(why({{"EMPTY", {}}, {"NONE", {}}}) == "EMPTY is empty");
  CHECK(why({{"TOKEN", "true"}}) == "TOKEN is not \"true\"");
  CHECK(why({{"NONE", "true"}}) == "NONE is not set");
  CHECK(why({{"NONE", ""}, {"EMPTY", ""}}).empty());
}

TEST_CASE("missing: needed keys that are unset or empty, in the plan's order") {
  plan::Service service;
  service.need = {"Z", "EMPTY", "A", "B"};
  CHECK(missing(service, snapshot_of({{"A", "1"}, {"EMPTY", ""}})) ==
        std::vector<std::string>{"Z", "EMPTY", "B"});
}

TEST_CASE("scope: every key that can reach the service, once") {
  plan::Service service;
  service.take = {"B", "A"};
  service.need = {"B", "D"};
  service.env = {{"X", {.parts = {"a", plan::EnvReference{"E", "f"}, plan::EnvReference{"A", {}}}}}};
  CHECK(scope(plan_with_common({"TZ"}), service) == std::vector<std::string>{"A", "B", "D", "E", "TZ"});
}

TEST_CASE("difference: names of what was added, changed and removed; the source does not count") {
  Snapshot before = snapshot_of({{"A", "1"}, {"B", "2"}, {"C", "3"}, {"S", "4"}});
  Snapshot after = snapshot_of({{"0", "x"}, {"B", "2b"}, {"C", "3"}, {"S", "4"}, {"Z", "y"}});
  after.values["S"].source = "dir:/etc/arizuko/secrets";
  const Difference found = difference(before, after);
  CHECK(found.added == std::vector<std::string>{"0", "Z"});
  CHECK(found.changed == std::vector<std::string>{"B"});
  CHECK(found.removed == std::vector<std::string>{"A"});
  CHECK(to_text(found) == "2 added (0, Z), 1 changed (B), 1 removed (A)");
  CHECK(difference(before, before).empty());
  CHECK(to_text(Difference{}) == "nothing changed");
}

TEST_CASE("difference: at most ten names are shown") {
  Difference many;
  for (int i = 0; i < 13; ++i) many.changed.push_back(fmt::format("K{}", i));
  CHECK(to_text(many) == "13 changed (K0, K1, K2, K3, K4, K5, K6, K7, K8, K9 and 3 more)");
}
