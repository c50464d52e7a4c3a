#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/difference.hpp"
#include "arizuko/env/joined.hpp"
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
  CHECK(expand(plan::Template{}, snapshot).empty());
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
  const auto why = [&](const std::vector<plan::EnabledWhen>& conditions) {
    service.enabled_when.clear();
    for (const plan::EnabledWhen& each : conditions) service.enabled_when.push_back({each});
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

TEST_CASE("enabled: of a list in the list one must be met, and what none of is set is named") {
  plan::Service service;
  service.enabled_when = {{{"BOT", std::nullopt}, {"USER", std::nullopt}}};
  CHECK(enabled(service, snapshot_of({{"USER", "x"}})));
  CHECK(enabled(service, snapshot_of({{"BOT", "x"}})));
  CHECK(why_disabled(service, snapshot_of({{"BOT", ""}})) == "none of BOT, USER is set");
  service.enabled_when = {{{"BOT", std::nullopt}, {"MODE", "full"}}};
  CHECK(why_disabled(service, snapshot_of({{"MODE", "hidden-value"}})) ==
        "BOT is not set, and MODE is not \"full\"");
  CHECK(is_switched_by(service, "MODE"));
  CHECK_FALSE(is_switched_by(service, "USER"));
}

TEST_CASE("compose: a renamed key is seen by its new name alone, whatever else takes it") {
  plan::Service service;
  service.take = {{"KEY", "KEY_OF_TELED"}};
  service.need = {{"TOKEN", "TOKEN_WORK"}};
  const Snapshot snapshot = snapshot_of({{"KEY_OF_TELED", "k"}, {"TOKEN_WORK", "t"}, {"TOKEN", "other"}});
  CHECK(show(compose(plan_with_common({}), service, snapshot)) == "KEY=k\nPATH=/usr/bin:/bin\nTOKEN=t\n");
  CHECK(scope(plan_with_common({}), service) == std::vector<std::string>{"KEY_OF_TELED", "TOKEN_WORK"});
  CHECK(missing(service, snapshot_of({{"TOKEN", "other"}})) == std::vector<std::string>{"TOKEN_WORK"});
  CHECK(as_needed(service, "TOKEN_WORK") == "TOKEN_WORK (as TOKEN)");
  service.need = {"TOKEN"};
  CHECK(as_needed(service, "TOKEN") == "TOKEN");
}

TEST_CASE("seen_as: a key that a service gets under the name is what is seen, and so is the key itself") {
  plan::Plan plan = plan_with_common({});
  plan::Service& gated = plan.services.emplace_back();
  gated.take = {{"AUTH_SECRET", "OTHER"}};
  const Snapshot snapshot = snapshot_of({{"AUTH_SECRET", "unseen"}, {"OTHER", "seen"}});
  CHECK(seen_as(plan, "AUTH_SECRET", snapshot) == "seen");
  CHECK(made_of(plan, "AUTH_SECRET") == std::vector<std::string>{"AUTH_SECRET", "OTHER"});
  gated.take.push_back({"COPY", "AUTH_SECRET"});
  CHECK(seen_as(plan, "AUTH_SECRET", snapshot) == "seen\nunseen\n");
}

TEST_CASE("joined: items without their variable are left out, and a list of none is no value") {
  plan::Service service;
  const plan::Template a{{"a=", plan::EnvReference{"A", std::nullopt}}};
  const plan::Template b{{"b=", plan::EnvReference{"B", "standard"}}};
  service.env = {{"KEYS", plan::Joined{",", {a, plan::Template{{"fixed"}}, b}}},
                 {"NONE", plan::Joined{",", {a}}}};
  const plan::Plan plan = plan_with_common({});
  CHECK(show(compose(plan, service, snapshot_of({{"A", "1"}}))) ==
        "KEYS=a=1,fixed,b=standard\nNONE=a=1\nPATH=/usr/bin:/bin\n");
  CHECK(show(compose(plan, service, snapshot_of({{"A", ""}, {"B", "2"}}))) ==
        "KEYS=fixed,b=2\nPATH=/usr/bin:/bin\n");
  CHECK(scope(plan, service) == std::vector<std::string>{"A", "B"});
}

TEST_CASE("joined: a value that holds the separator cannot be used, and is not in the reason") {
  plan::Plan plan = plan_with_common({});
  plan::Service& authd = plan.services.emplace_back();
  const auto item = [](const char* key) { return plan::Template{{plan::EnvReference{key, std::nullopt}}}; };
  authd.env = {{"KEYS", plan::Joined{",", {item("GOOD"), item("BAD"), item("UNSET")}}}};
  Snapshot snapshot = snapshot_of({{"GOOD", "g;h=i"}, {"BAD", "left,right"}, {"ELSE", "a,b"}});
  refuse_broken_lists(plan, snapshot);
  CHECK(snapshot.values.size() == 2);
  REQUIRE(snapshot.unusable.size() == 1);
  CHECK(snapshot.unusable.at("BAD") ==
        "the value holds \",\", which separates the values of KEYS; give it another");
  authd.enabled = false;
  Snapshot unused = snapshot_of({{"BAD", "left,right"}});
  refuse_broken_lists(plan, unused);
  CHECK(unused.unusable.empty());
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
  service.env = {
      {"X", plan::Template{.parts = {"a", plan::EnvReference{"E", "f"}, plan::EnvReference{"A", {}}}}}};
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
