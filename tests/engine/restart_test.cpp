// What follows a failure, and what is bound to a gate.
#include <set>

#include "engine/restart_policy.hpp"
#include "harness.hpp"

namespace arizuko::tests {

namespace {

double pause_ms(const FailureRecord& record, const plan::RestartPolicy& policy, std::string_view name) {
  return std::chrono::duration<double, std::milli>(record.delay(policy, name)).count();
}

PlanBuilder gate_and_bound() {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled");
  plan.bind("teled", {"gated"});
  return plan;
}

}  // namespace

TEST_CASE("engine: how a main process ended is said in words that name a lack of memory") {
  CHECK(to_text(ExitStatus{3, std::nullopt}) == "exited with code 3");
  CHECK(to_text(ExitStatus{std::nullopt, 9}) == "was killed by SIGKILL");
  CHECK(to_text(ExitStatus{std::nullopt, 11, true}) == "was killed by SIGSEGV (core dumped)");
  CHECK(to_text(ExitStatus{std::nullopt, 9, false, true}) == "was OOM-killed (SIGKILL)");
}

TEST_CASE("restart policy: the back-off grows to its cap, and a stable time starts it anew, at once") {
  plan::RestartPolicy policy;
  policy.jitter = 0;
  policy.max_delay = milliseconds(3000);
  FailureRecord record;
  std::vector<double> pauses;
  for (int i = 0; i < 5; ++i) {
    record.add(policy, Instant{}, false);
    pauses.push_back(pause_ms(record, policy, "gated"));
  }
  CHECK_EQ(pauses, std::vector<double>{500, 1000, 2000, 3000, 3000});
  record.add(policy, Instant{}, true);
  CHECK_EQ(pause_ms(record, policy, "gated"), 0);
  record.add(policy, Instant{}, false);
  CHECK_EQ(pause_ms(record, policy, "gated"), 500);
}

TEST_CASE("restart policy: jitter stays within its share, and two services do not restart in step") {
  plan::RestartPolicy policy;
  policy.jitter = 0.5;
  policy.factor = 1.0;
  policy.budget = 0;
  FailureRecord record;
  std::set<double> teled;
  int same = 0;
  for (int i = 0; i < 200; ++i) {
    record.add(policy, Instant{}, false);
    const double pause = pause_ms(record, policy, "teled");
    CHECK_GE(pause, 250);
    CHECK_LE(pause, 750);
    teled.insert(pause);
    same += pause == pause_ms(record, policy, "slakd") ? 1 : 0;
  }
  CHECK_GT(teled.size(), 100);
  CHECK_LT(same, 10);
}

TEST_CASE("restart policy: only failures within the window count against the budget") {
  plan::RestartPolicy policy;
  policy.budget = 3;
  policy.window = milliseconds(10'000);
  FailureRecord record;
  const Instant start{};
  for (const int second : {0, 5, 11}) record.add(policy, start + std::chrono::seconds(second), false);
  CHECK_FALSE(record.exhausted(policy, start + std::chrono::seconds(11)));
  record.add(policy, start + std::chrono::seconds(12), false);
  CHECK(record.exhausted(policy, start + std::chrono::seconds(12)));
}

TEST_CASE("engine: a crash after a stable time is restarted at once, the next one after the delay") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.wait(std::chrono::seconds(30));
  bench.log();
  bench.exited("gated", 1);
  bench.up("gated");
  bench.exited("gated", 2);
  bench.tick();
  CHECK_TEXT(bench.log(), R"(
30.000 exited gated/1: exited with code 1
  gated: [exited] it exited with code 1
  unwatch gated/1 #0
  gated: ready -> waiting: it exited with code 1
  gated: waiting -> starting: it exited with code 1
  spawn gated/2 generation 1
30.000 spawned gated/2 pid 102
  gated: [spawned] pid 102, because it exited with code 1
  watch gated/2 #0
30.000 condition gated/2 #0 holds
  gated: [condition] file /gated holds
  gated: starting -> ready: all its readiness conditions hold
30.000 exited gated/2: exited with code 2
  gated: [exited] it exited with code 2
  unwatch gated/2 #0
  gated: ready -> backoff: it exited with code 2 (failure 2 of 10 within 10 min)
30.500 tick
  gated: backoff -> waiting: its back-off is over
  gated: waiting -> starting: its back-off is over; before that it exited with code 2
  spawn gated/3 generation 1
)");
}

TEST_CASE("engine: a spent budget is a verdict: stay-down, or the end of the pod with 75 or 69") {
  PlanBuilder plan;
  plan.service("gated").restart.budget = 2;
  SUBCASE("stay-down: the rest goes on, and `why` says so") {
    plan.service("teled", {"gated"});
    Bench bench(plan);
    bench.values({});
    for (int i = 0; i < 2; ++i) {
      bench.spawned("gated");
      bench.exited("gated", 1);
      bench.tick();
    }
    CHECK_EQ(bench.states(), "gated failed, teled waiting");
    CHECK_TEXT(bench.why("teled"), R"(
teled waits for gated; gated gave up 0 ms ago: it exited with code 1 (2 failures within 10 min).)");
    bench.command(Command::Verb::start, "gated");
    CHECK_EQ(bench.states(), "gated starting, teled waiting");
  }
  SUBCASE("end-pod: 75") {
    plan["gated"].essential = true;
    plan["gated"].restart.verdict = plan::Verdict::end_pod;
    Bench bench(plan);
    bench.values({});
    bench.up("gated");
    bench.exited("gated", 1);
    bench.tick();
    bench.spawned("gated");
    bench.log();
    bench.exited("gated", 1);
    CHECK_TEXT(bench.log(), R"(
0.500 exited gated/2: exited with code 1
  gated: [exited] it exited with code 1
  unwatch gated/2 #0
  gated: starting -> failed: it exited with code 1 (2 failures within 10 min)
  pod: [pod] stopping: gated has failed: it exited with code 1 (2 failures within 10 min)
  pod: [pod] ended with exit code 75: gated has failed: it exited with code 1 (2 failures within 10 min)
  exit 75 by gated: gated has failed: it exited with code 1 (2 failures within 10 min)
)");
  }
  SUBCASE("never opened: 69") {
    plan["gated"].restart.budget = 1;
    plan["gated"].restart.verdict = plan::Verdict::end_pod;
    plan["gated"].ready_within = milliseconds(1000);
    Bench bench(plan);
    bench.values({});
    bench.spawned("gated");
    bench.tick();
    bench.exited("gated", 0);
    CHECK_EQ(bench.view().exit_code, 69);
  }
}

TEST_CASE("engine: trouble of the machine is tried again and never counted") {
  PlanBuilder plan;
  plan.service("gated").restart.budget = 1;
  Bench bench(plan);
  bench.values({});
  for (const double pause : {0.1, 0.2, 0.4}) {
    bench.spawn_failed("gated", "forking: Resource temporarily unavailable (EAGAIN)", true);
    CHECK_EQ(bench.deadline(), doctest::Approx(pause));
    bench.tick();
  }
  CHECK_EQ(bench.states(), "gated starting");
  bench.spawn_failed("gated", "executing gated: No such file or directory (ENOENT)");
  CHECK_EQ(bench.states(), "gated failed");
}

TEST_CASE("engine: a failure while the gate is down does not count (T5)") {
  Bench bench(gate_and_bound());
  bench.values({});
  bench.up("gated");
  bench.up("teled");
  SUBCASE("the gate goes first") {
    bench.exited("gated", 1);
    bench.exited("teled", 1);
  }
  SUBCASE("the gate is seen to go a moment later: forgiven") {
    bench.exited("teled", 1);
    CHECK_EQ(bench.view("teled").runs.failures, 1);
    bench.wait(milliseconds(300));
    bench.exited("gated", 1);
  }
  CHECK_EQ(bench.states(), "gated backoff, teled waiting");
  CHECK_EQ(bench.view("teled").runs.failures, 0);
  CHECK_TEXT(bench.why("teled"), R"(
teled waits for gated; gated starts again in 500 ms, because it exited with code 1 (failure 1 of 10 within 10 min).)");
}

TEST_CASE("engine: what is bound to a gate is restarted once the gate is ready again (T6)") {
  Bench bench(gate_and_bound());
  bench.values({});
  bench.up("gated");
  bench.up("teled");
  bench.exited("gated", 1);
  bench.log();
  bench.tick();
  CHECK_EQ(bench.states(), "gated starting, teled ready");
  bench.up("gated");
  bench.exited("teled", 0);
  CHECK_TEXT(bench.log(), R"(
0.500 tick
  gated: backoff -> waiting: its back-off is over
  gated: waiting -> starting: its back-off is over; before that it exited with code 1
  spawn gated/2 generation 1
0.500 spawned gated/2 pid 103
  gated: [spawned] pid 103, because its back-off is over; before that it exited with code 1
  watch gated/2 #0
0.500 condition gated/2 #0 holds
  gated: [condition] file /gated holds
  gated: starting -> ready: all its readiness conditions hold
  unwatch teled/1 #0
  teled: ready -> stopping: gated was restarted (its back-off is over; before that it exited with code 1)
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: gated was restarted (its back-off is over; before that it exited with code 1)
0.500 exited teled/1: exited with code 0
  teled: [exited] it exited with code 0
  teled: stopping -> waiting: gated was restarted (its back-off is over; before that it exited with code 1)
  teled: waiting -> starting: gated was restarted (its back-off is over; before that it exited with code 1)
  spawn teled/2 generation 1
)");
}

TEST_CASE("engine: before a planned restart of the gate what is bound to it stops first (T37)") {
  Bench bench(gate_and_bound());
  bench.values({});
  bench.up("gated");
  bench.up("teled");
  bench.log();
  bench.command(Command::Verb::restart, "gated");
  CHECK_TEXT(bench.why("gated"), R"(
gated is stopping and waits for teled (it was told to stop because the operator (uid 1000) asked for it); teled is stopping and waits for its main process (pid 102) (it was told to stop because gated is restarted (the operator (uid 1000) asked for it)).)");
  bench.exited("teled", 0);
  bench.exited("gated", 0);
  bench.up("gated");
  CHECK_TEXT(bench.log(), R"(
0.000 command restart gated
  gated: [command] restart, by the operator (uid 1000)
  unwatch teled/1 #0
  teled: ready -> stopping: gated is restarted (the operator (uid 1000) asked for it)
  unwatch gated/1 #0
  gated: ready -> stopping: the operator (uid 1000) asked for it
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: gated is restarted (the operator (uid 1000) asked for it)
0.000 exited teled/1: exited with code 0
  teled: [exited] it exited with code 0
  teled: stopping -> waiting: gated is restarted (the operator (uid 1000) asked for it)
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: the operator (uid 1000) asked for it
0.000 exited gated/1: exited with code 0
  gated: [exited] it exited with code 0
  gated: stopping -> waiting: the operator (uid 1000) asked for it
  gated: waiting -> starting: the operator (uid 1000) asked for it
  spawn gated/2 generation 1
0.000 spawned gated/2 pid 103
  gated: [spawned] pid 103, because the operator (uid 1000) asked for it
  watch gated/2 #0
0.000 condition gated/2 #0 holds
  gated: [condition] file /gated holds
  gated: starting -> ready: all its readiness conditions hold
  teled: waiting -> starting: gated is restarted (the operator (uid 1000) asked for it)
  spawn teled/2 generation 1
)");
  CHECK_EQ(bench.view("teled").runs.failures, 0);
}

TEST_CASE("engine: a gate that ends by itself while it waits for what is bound to it starts anew") {
  Bench bench(gate_and_bound());
  bench.values({});
  bench.up("gated");
  bench.up("teled");
  bench.command(Command::Verb::restart, "gated");
  bench.exited("gated", 1);
  CHECK_EQ(bench.states(), "gated starting, teled stopping");
  CHECK_EQ(bench.view("gated").runs.failures, 0);
  bench.up("gated");
  bench.exited("teled", 0);
  CHECK_EQ(bench.states(), "gated ready, teled starting");
}

TEST_CASE("engine: a service that may end by itself is done, and an essential one ends the pod with 0") {
  PlanBuilder plan;
  plan.service("onbod").restart.when = plan::RestartWhen::on_failure;
  Bench bench(plan);
  bench.values({});
  bench.up("onbod");
  bench.exited("onbod", 0);
  CHECK_EQ(bench.states(), "onbod done");
  CHECK(all_well(bench.view()));
}

}  // namespace arizuko::tests
