// A new plan beside the one that runs, without an engine. In the engine: changes_test.cpp.
#include "../../src/engine/plan_merge.hpp"

#include "harness.hpp"

namespace arizuko::tests {

namespace {

using Numbers = std::vector<ServiceId>;

PlanBuilder two() {
  PlanBuilder builder;
  builder.service("gated");
  builder.service("teled", {"gated"});
  return builder;
}

}  // namespace

TEST_CASE("plan merge: the same plan changes nothing") {
  const plan::Plan plan = two().plan;
  const MergedPlan merged = merge_plans(plan, plan);
  CHECK(merged.plan->services == plan.services);
  CHECK(merged.changed.empty());
  CHECK_EQ(what_changed(plan, merged), "no definition of a service or task changed");
}

TEST_CASE("plan merge: services keep their numbers, in whatever order the new plan has them") {
  PlanBuilder fresh;
  fresh.service("first");
  fresh.service("teled", {"first"});
  fresh.service("gated", {"teled"});
  fresh.plan.pod.ready_when = {0, 2};
  const MergedPlan merged = merge_plans(two().plan, fresh.plan);
  REQUIRE_EQ(merged.plan->services.size(), 3);
  CHECK_EQ(merged.plan->services[0].name, "gated");
  CHECK_EQ(merged.plan->services[0].after, Numbers{1});
  CHECK_EQ(merged.plan->services[1].name, "teled");
  CHECK_EQ(merged.plan->services[1].after, Numbers{2});
  CHECK_EQ(merged.plan->services[2].name, "first");
  CHECK_EQ(merged.plan->pod.ready_when, Numbers{2, 0});
  CHECK(merged.changed.empty());  // an order is nothing that a process sees
  CHECK_EQ(what_changed(two().plan, merged), "changed: gated, teled; new: first");
}

TEST_CASE("plan merge: a service that comes into another group goes on") {
  PlanBuilder fresh = two();
  fresh.plan.services[1].group_name = "adapters";
  const MergedPlan merged = merge_plans(two().plan, fresh.plan);
  CHECK(merged.changed.empty());
  CHECK_EQ(merged.plan->services[1].group_name, "adapters");
  CHECK_EQ(what_changed(two().plan, merged), "changed: teled");
}

TEST_CASE("plan merge: what is gone stays as a service that is off, and nobody comes after it") {
  PlanBuilder fresh;
  fresh.service("gated");
  const MergedPlan merged = merge_plans(two().plan, fresh.plan);
  REQUIRE_EQ(merged.plan->services.size(), 2);
  CHECK_FALSE(merged.plan->services[1].enabled);
  CHECK(merged.plan->services[1].after.empty());
  CHECK(merged.changed.empty());
  CHECK_EQ(what_changed(two().plan, merged), "off: teled");
}

TEST_CASE("plan merge: a task of the name of a service is another one") {
  PlanBuilder fresh;
  fresh.service("gated");
  fresh.task("teled", {"gated"});
  const MergedPlan merged = merge_plans(two().plan, fresh.plan);
  REQUIRE_EQ(merged.plan->services.size(), 3);
  CHECK_FALSE(merged.plan->services[1].enabled);
  CHECK_EQ(merged.plan->services[2].kind, plan::Kind::task);
}

TEST_CASE("plan merge: a process that would be another one is named; what can change under it is not") {
  PlanBuilder fresh = two();
  fresh["gated"].command = {"gated", "--verbose"};
  fresh["teled"].stop.timeout = milliseconds(1);
  fresh["teled"].take = {"TOKEN"};
  const MergedPlan merged = merge_plans(two().plan, fresh.plan);
  CHECK_EQ(merged.changed, Numbers{0});
  CHECK_EQ(what_changed(two().plan, merged), "changed: gated (restarts), teled");
}

}  // namespace arizuko::tests
