// New values and a new plan under a running pod.
#include "harness.hpp"

namespace arizuko::tests {

namespace {

PlanBuilder two() {
  PlanBuilder plan;
  plan.service("gated").take = {"SECRET"};
  plan.service("teled").take = {"TOKEN"};
  plan.bind("teled", {"gated"});
  return plan;
}

Bench running(const PlanBuilder& plan) {
  Bench bench(plan);
  bench.values({{"SECRET", "1"}, {"TOKEN", "1"}});
  for (const plan::Service& each : plan.plan.services) bench.up(each.name);
  bench.log();
  return bench;
}

}  // namespace

TEST_CASE("engine: a guarded value is held back from a running instance, and the rest is taken (T16)") {
  PlanBuilder plan;
  plan.service("gated").take = {"AUTH_SECRET"};
  plan.service("teled").take = {"TOKEN"};
  plan.plan.env.guarded = {"AUTH_SECRET"};
  Bench bench(plan);
  bench.values({{"AUTH_SECRET", "first"}, {"TOKEN", "one"}});
  bench.up("gated");
  bench.up("teled");
  bench.log();
  bench.values({{"AUTH_SECRET", "second"}, {"TOKEN", "two"}});
  CHECK_EQ(bench.states(), "gated ready, teled stopping");
  CHECK(bench.log().contains("AUTH_SECRET was changed and is held back"));
  // Said once; and back to the first value it is no change at all.
  bench.values({{"AUTH_SECRET", "second"}, {"TOKEN", "two"}});
  CHECK_FALSE(bench.log().contains("held back"));
  bench.values({{"AUTH_SECRET", "first"}, {"TOKEN", "two"}});
  CHECK_EQ(bench.states(), "gated ready, teled stopping");
  CHECK_FALSE(bench.log().contains("held back"));
  bench.exited("teled", 0);
  bench.up("teled");
  bench.values({{"TOKEN", "two"}});
  CHECK(bench.log().contains("AUTH_SECRET was removed and is held back"));
  CHECK_EQ(bench.states(), "gated ready, teled ready");
  CHECK_EQ(bench.view().values.held_keys.size(), 1);
}

TEST_CASE("engine: a guarded value that nobody was started with yet is taken") {
  PlanBuilder plan;
  plan.task("seed");
  plan.service("gated", {"seed"}).take = {"AUTH_SECRET"};
  plan.plan.env.guarded = {"AUTH_SECRET"};
  Bench bench(plan);
  bench.values({});
  bench.values({{"AUTH_SECRET", "from the seed"}});
  CHECK_FALSE(bench.log().contains("held back"));
}

TEST_CASE("engine: new values restart what sees them, and nothing else") {
  Bench bench = running(two());
  bench.values({{"SECRET", "1"}, {"TOKEN", "2"}});
  CHECK_TEXT(bench.log(), R"(
0.000 environment 2: SECRET=1 TOKEN=2
  pod: [environment] generation 2 is taken: 1 changed (TOKEN)
  unwatch teled/1 #0
  teled: ready -> stopping: its values changed
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: its values changed
)");
  CHECK_EQ(bench.states(), "gated ready, teled stopping");
}

TEST_CASE("engine: new values that nobody sees stop nobody; a signal where the policy says so") {
  PlanBuilder plan = two();
  plan["teled"].on_change = plan::OnChange::signal;
  plan["teled"].change_signal = 1;
  Bench bench = running(plan);
  bench.values({{"SECRET", "1"}, {"TOKEN", "1"}, {"OTHER", "1"}});
  CHECK_EQ(bench.states(), "gated ready, teled ready");
  bench.log();
  bench.values({{"SECRET", "1"}, {"TOKEN", "2"}});
  CHECK_TEXT(bench.log(), R"(
0.000 environment 3: SECRET=1 TOKEN=2
  pod: [environment] generation 3 is taken: 1 changed (TOKEN), 1 removed (OTHER)
  signal teled/1 SIGHUP main
  teled: [signal] SIGHUP: its values changed
)");
}

TEST_CASE("engine: a running service keeps the value that it needs and that is gone, and the rest is taken") {
  PlanBuilder plan = two();
  plan["gated"].need = {"SECRET"};
  Bench bench = running(plan);
  bench.values({{"TOKEN", "2"}});
  CHECK_TEXT(bench.log(), R"(
0.000 environment 2: TOKEN=2
  pod: [environment] SECRET was removed and is held back, the old value stays: gated runs, and needs it. Set it, or stop what needs it and say `arizuko-init reload`
  pod: [environment] generation 2 is taken: 1 changed (TOKEN)
  unwatch teled/1 #0
  teled: ready -> stopping: its values changed
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: its values changed
)");
}

TEST_CASE("engine: a token that comes and goes switches a service on and off, in back-off as well") {
  PlanBuilder plan;
  plan.service("teled").enabled_when = {{{"TOKEN", std::nullopt}}};
  plan.service("onbod", {"teled"});
  Bench bench(plan);
  bench.values({});
  CHECK_EQ(bench.states(), "teled off, onbod starting");
  CHECK_EQ(bench.why("teled"), "teled is off: TOKEN is not set.");
  bench.values({{"TOKEN", "1"}});
  CHECK_EQ(bench.states(), "teled starting, onbod starting");
  bench.spawned("teled");
  SUBCASE("while it runs") {
    bench.values({});
    bench.exited("teled", 0);
  }
  SUBCASE("in back-off") {
    bench.exited("teled", 1);
    bench.values({});
  }
  SUBCASE("after it gave up: nobody waits for it any more") {
    bench.up("onbod");
    for (int i = 0; i < 10; ++i) {
      bench.exited("teled", 1);
      bench.tick();
      bench.spawned("teled");
    }
    CHECK_EQ(bench.view("teled").state, State::failed);
    bench.values({});
  }
  CHECK_EQ(bench.view("teled").state, State::off);
  CHECK(bench.view("teled").why == Why::not_part);
}

TEST_CASE("engine: a failed service, or one in back-off, is tried again with new values") {
  Bench bench = running(two());
  bench.exited("teled", 1);
  CHECK_EQ(bench.states(), "gated ready, teled backoff");
  bench.values({{"SECRET", "1"}, {"TOKEN", "2"}});
  CHECK_EQ(bench.states(), "gated ready, teled starting");
  CHECK(bench.view("teled").run.last_start_why == Why::values_changed);
}

TEST_CASE("engine: a new plan keeps numbers, adds, removes and restarts what changed") {
  Bench bench = running(two());
  PlanBuilder plan;
  plan.service("timed");
  plan.service("gated", {"timed"}).take = {"SECRET"};
  plan["gated"].description = "only words";
  plan["gated"].ready.push_back(file_exists("/more"));
  bench.reload(plan);
  CHECK_EQ(bench.id("gated"), 0);
  CHECK_EQ(bench.id("teled"), 1);
  CHECK_EQ(bench.id("timed"), 2);
  CHECK_TEXT(bench.log(), R"(
0.000 plan
  pod: [plan] a new plan is taken; changed: gated (restarts); new: timed; off: teled
  unwatch gated/1 #0
  gated: ready -> stopping: its definition changed
  unwatch teled/1 #0
  teled: ready -> stopping: the plan says enabled = false
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: the plan says enabled = false
  timed: waiting -> starting: everything it comes after is ready
  spawn timed/1 generation 1
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: its definition changed
)");
}

TEST_CASE("engine: a new plan that only rewords leaves every process alone") {
  Bench bench = running(two());
  PlanBuilder plan = two();
  plan["gated"].description = "words";
  plan["gated"].restart.budget = 3;
  plan["gated"].stop.timeout = milliseconds(1);
  bench.reload(plan);
  CHECK_EQ(bench.states(), "gated ready, teled ready");
}

TEST_CASE("engine: a new plan that gives a service another environment restarts it") {
  Bench bench = running(two());
  PlanBuilder plan = two();
  plan["teled"].env = {{"URL", plan::Template{{"http://127.0.0.1"}}}};
  bench.reload(plan);
  CHECK_EQ(bench.states(), "gated ready, teled stopping");
}

TEST_CASE("engine: a task that fails after it was switched off is off, and nobody waits for it") {
  PlanBuilder plan;
  plan.task("create").verify = {"/groups/main"};
  plan["create"].restart.verdict = plan::Verdict::stay_down;
  plan["create"].enabled_when = {{{"SEED", std::nullopt}}};
  plan.service("gated", {"create"});
  Bench bench(plan);
  bench.values({{"SEED", "1"}});
  bench.spawned("create");
  bench.exited("create", 0, "sleep (pid 17)");
  bench.values({});
  bench.tree_empty("create");
  bench.condition("create", 0, false);
  CHECK_EQ(bench.states(), "create off, gated starting");
}

TEST_CASE("engine: a copy of the engine is independent of it") {
  Bench bench = running(two());
  Engine copy = bench.engine();
  bench.stop();
  CHECK_EQ(copy.view().state, PodState::running);
  std::vector<Action> actions;
  copy.handle(Tick{}, bench.now(), actions);
  CHECK(actions.empty());
}

}  // namespace arizuko::tests
