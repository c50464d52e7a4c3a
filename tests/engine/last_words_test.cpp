// The end that a start never got past, and ends that are none.
#include "harness.hpp"

namespace arizuko::tests {

namespace {

PlanBuilder guarded_gate() {
  PlanBuilder builder;
  builder.service("gated").take = {"AUTH_SECRET"};
  builder.service("proxyd", {"gated"});
  builder.service("timed");
  builder.plan.env.guarded = {"AUTH_SECRET"};
  builder.plan.pod.ready_when = {0, 1};
  return builder;
}

EnvironmentChanged changed_since_the_last_run() {
  auto made = std::make_shared<env::Snapshot>();
  made->values["AUTH_SECRET"] = {"second", "dir:/secrets"};
  return {.snapshot = made, .unlike_last_run = {"AUTH_SECRET"}, .switched = {}};
}

PlanBuilder daemon_and_dependent(plan::RestartWhen when) {
  PlanBuilder builder;
  plan::Service& daemon = builder.service("daemon");
  daemon.restart.when = when;
  daemon.ready.clear();
  builder.service("dependent", {"daemon"});
  return builder;
}

}  // namespace

TEST_CASE("engine: a pod that is stopped before it got ready keeps the reason why it never did") {
  Bench bench(guarded_gate());
  bench.offer(changed_since_the_last_run());
  bench.up("timed");
  bench.stop();
  bench.exited("timed", 0);
  CHECK(
      bench.view().verdict.starts_with("stopped as asked (SIGTERM); it never became ready: gated is blocked: "
                                       "AUTH_SECRET was changed since the last run"));
  CHECK_EQ(bench.view().exit_code, 0);
}

TEST_CASE("engine: a pod that was ready once is stopped as asked, and no more is said") {
  PlanBuilder builder;
  builder.service("gated");
  builder.plan.pod.ready_when = {0};
  Bench bench(builder);
  bench.values({});
  bench.up("gated");
  bench.stop();
  bench.exited("gated", 0);
  CHECK_EQ(bench.view().verdict, "stopped as asked (SIGTERM)");
}

TEST_CASE("engine: who waits for an operator is told from who is on his way") {
  Bench bench(guarded_gate());
  const std::vector<ServiceId> ready_when = {0, 1};
  CHECK_FALSE(waits_for_operator(bench.view(), ready_when));
  bench.offer(changed_since_the_last_run());
  CHECK(waits_for_operator(bench.view(), ready_when));  // proxyd by way of gated; timed does not matter
  bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
  CHECK_FALSE(waits_for_operator(bench.view(), ready_when));
}

TEST_CASE("engine: what the start waits for is the answer to why, and nothing is started meanwhile") {
  Bench bench(guarded_gate());
  bench.deliver(StartWaits{"the data directory is in use by arizuko-init with pid 7"});
  CHECK_EQ(bench.why_pod(),
           "Nothing is started yet: the data directory is in use by arizuko-init with pid 7.");
  CHECK(bench.log().contains("[warning] the start waits: the data directory is in use"));
  SUBCASE("it ends, and the start goes on") {
    bench.deliver(StartWaits{""});
    CHECK(bench.why_pod().starts_with("The pod is not ready: gated waits for the values"));
  }
  SUBCASE("the pod is told to stop: the reason stays") {
    bench.stop();
    CHECK_EQ(
        bench.view().verdict,
        "stopped as asked (SIGTERM); it never became ready: the data directory is in use by arizuko-init "
        "with pid 7");
    CHECK_EQ(bench.view().state, PodState::ended);
  }
}

TEST_CASE("engine: a daemon that forks and exits 0 runs in the background, and is not done") {
  Bench bench(daemon_and_dependent(plan::RestartWhen::on_failure));
  bench.values({});
  bench.spawned("daemon");
  bench.exited("daemon", 0, "daemon (pid 17)");
  bench.tick();  // its leftovers had their time
  CHECK(bench.log().contains("signal daemon/1 SIGKILL leftovers"));
  bench.tree_empty("daemon");
  CHECK_EQ(bench.view("daemon").state, State::backoff);
  CHECK(bench.view("daemon").why == Why::in_background);
  CHECK_NE(bench.view("dependent").state, State::done);
  CHECK_EQ(bench.view("daemon").runs.failures, 1);
}

TEST_CASE("engine: leftovers that leave by themselves after a good end are no daemon") {
  Bench bench(daemon_and_dependent(plan::RestartWhen::on_failure));
  bench.values({});
  bench.spawned("daemon");
  bench.exited("daemon", 0, "logger (pid 17)");
  bench.tree_empty("daemon");
  CHECK_EQ(bench.view("daemon").state, State::done);
}

TEST_CASE("engine: what has served for long and ends well is done, whatever it leaves") {
  Bench bench(daemon_and_dependent(plan::RestartWhen::on_failure));
  bench.values({});
  bench.spawned("daemon");
  bench.wait(milliseconds(20'000));
  bench.exited("daemon", 0, "child (pid 17)");
  bench.tick();
  bench.tree_empty("daemon");
  CHECK_EQ(bench.view("daemon").state, State::done);
}

}  // namespace arizuko::tests
