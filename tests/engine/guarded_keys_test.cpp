// Which values of guarded keys are used, accepted, or keep services from starting. In the engine:
// guarded_test.cpp.
#include "../../src/engine/guarded_keys.hpp"

#include <doctest/doctest.h>

namespace arizuko::tests {

namespace {

using engine::GuardedKeys;
using engine::ValuesInForce;

plan::Plan guarded_plan() {
  plan::Plan plan;
  plan.env.guarded = {"AUTH_SECRET"};
  plan.services.resize(2);
  plan.services[0].name = "gated";
  plan.services[0].take = {"AUTH_SECRET"};
  plan.services[1].name = "timed";
  return plan;
}

env::Snapshot auth(const std::string& text) {
  env::Snapshot made;
  if (!text.empty()) made.values["AUTH_SECRET"] = {text, "dir:/secrets"};
  return made;
}

ValuesInForce unlike_last_run(const std::string& text) {
  return {std::make_shared<const env::Snapshot>(auth(text)), {}, {"AUTH_SECRET"}};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "guarded keys: a value is remembered when a run starts with it, and again only when it is another") {
  const plan::Plan plan = guarded_plan();
  GuardedKeys keys;
  CHECK_FALSE(keys.is_used("AUTH_SECRET"));
  const auto first = keys.before_run(plan, plan.services[0], auth("one"));
  REQUIRE_EQ(first.size(), 1);
  CHECK_EQ(first.front().key, "AUTH_SECRET");
  CHECK_EQ(*first.front().snapshot->find("AUTH_SECRET"), "one");
  CHECK(keys.is_used("AUTH_SECRET"));
  CHECK(keys.before_run(plan, plan.services[0], auth("one")).empty());
  CHECK_EQ(keys.before_run(plan, plan.services[0], auth("two")).size(), 1);
  const auto none = keys.before_run(plan, plan.services[0], auth(""));
  REQUIRE_EQ(none.size(), 1);
  CHECK_EQ(none.front().snapshot->find("AUTH_SECRET"), nullptr);
}

TEST_CASE("guarded keys: who does not see a key, and a task, does not use it") {
  plan::Plan plan = guarded_plan();
  GuardedKeys keys;
  CHECK(keys.before_run(plan, plan.services[1], auth("one")).empty());
  plan.services[0].kind = plan::Kind::task;
  CHECK(keys.before_run(plan, plan.services[0], auth("one")).empty());
  CHECK_FALSE(keys.is_used("AUTH_SECRET"));
}

TEST_CASE("guarded keys: what is accepted is one value, not the key") {
  GuardedKeys keys;
  CHECK_FALSE(keys.is_accepted("AUTH_SECRET", "one"));
  keys.accept("AUTH_SECRET", "one");
  CHECK(keys.is_accepted("AUTH_SECRET", "one"));
  CHECK_FALSE(keys.is_accepted("AUTH_SECRET", "two"));
  CHECK_FALSE(keys.is_accepted("AUTH_SECRET", std::nullopt));
  keys.accept("AUTH_SECRET", std::nullopt);
  CHECK(keys.is_accepted("AUTH_SECRET", std::nullopt));
  CHECK_FALSE(keys.is_accepted("AUTH_SECRET", "one"));
}

TEST_CASE(
    "guarded keys: a value unlike the last run's keeps who sees it from starting, until it is accepted") {
  const plan::Plan plan = guarded_plan();
  const ValuesInForce values = unlike_last_run("other");
  GuardedKeys keys;
  CHECK_EQ(keys.unaccepted(plan, plan.services[0], values), Names{"AUTH_SECRET"});
  CHECK(keys.unaccepted(plan, plan.services[1], values).empty());
  SUBCASE("accepted") {
    keys.accept("AUTH_SECRET", "other");
    CHECK(keys.unaccepted(plan, plan.services[0], values).empty());
  }
  SUBCASE("another value was accepted") {
    keys.accept("AUTH_SECRET", "third");
    CHECK_EQ(keys.unaccepted(plan, plan.services[0], values), Names{"AUTH_SECRET"});
  }
  SUBCASE("a service of this run uses it already") {
    keys.before_run(plan, plan.services[0], auth("first"));
    CHECK(keys.unaccepted(plan, plan.services[0], values).empty());
  }
}

TEST_CASE("guarded keys: a plan under which services would see another value is found, once it is used") {
  const plan::Plan plan = guarded_plan();
  plan::Plan fresh = plan;
  fresh.services[0].env.emplace_back("AUTH_SECRET", plan::literal("fixed"));
  GuardedKeys keys;
  CHECK_FALSE(keys.changed_by(fresh, plan, auth("one")).has_value());
  keys.before_run(plan, plan.services[0], auth("one"));
  CHECK_EQ(keys.changed_by(fresh, plan, auth("one")), "AUTH_SECRET");
  CHECK_FALSE(keys.changed_by(plan, plan, auth("one")).has_value());
}

}  // namespace arizuko::tests
