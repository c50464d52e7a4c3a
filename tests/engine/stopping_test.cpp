// How services and the pod are stopped.
#include "harness.hpp"

namespace arizuko::tests {

namespace {

PlanBuilder three() {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled", {"gated"});
  plan.service("onbod", {"gated", "teled"});
  return plan;
}

Bench running(const PlanBuilder& plan) {
  Bench bench(plan);
  bench.values({});
  for (const plan::Service& each : plan.plan.services) bench.up(each.name);
  bench.log();
  return bench;
}

}  // namespace

TEST_CASE("engine: the pod stops in reverse order and ends with the last process") {
  Bench bench = running(three());
  bench.stop();
  bench.exited("onbod", 0);
  bench.exited("teled", 0);
  bench.exited("gated", 0);
  CHECK_TEXT(bench.log(), R"(
0.000 stop-requested SIGTERM
  pod: [pod] stopping: SIGTERM
  unwatch gated/1 #0
  gated: ready -> stopping: SIGTERM
  unwatch teled/1 #0
  teled: ready -> stopping: SIGTERM
  unwatch onbod/1 #0
  onbod: ready -> stopping: SIGTERM
  signal onbod/1 SIGTERM main
  onbod: [signal] SIGTERM to its main process: SIGTERM
0.000 exited onbod/1: exited with code 0
  onbod: [exited] it exited with code 0
  onbod: stopping -> off: SIGTERM
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: SIGTERM
0.000 exited teled/1: exited with code 0
  teled: [exited] it exited with code 0
  teled: stopping -> off: SIGTERM
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: SIGTERM
0.000 exited gated/1: exited with code 0
  gated: [exited] it exited with code 0
  gated: stopping -> off: SIGTERM
  pod: [pod] ended with exit code 0: stopped as asked (SIGTERM)
  exit 0: stopped as asked (SIGTERM)
)");
  CHECK_EQ(bench.deadline(), -1);
  bench.stop();
  bench.values({});
  bench.deliver(Tick{});
  CHECK_TEXT(bench.log(), R"(
0.000 stop-requested SIGTERM
0.000 environment 2:
0.000 tick
)");
}

TEST_CASE("engine: what ignores its stop signal gets SIGKILL, then its leftovers do (T22, T23)") {
  PlanBuilder plan;
  plan.service("teled");
  Bench bench = running(plan);
  bench.command(Command::Verb::stop, "teled");
  bench.tick();
  bench.tick();
  bench.deliver(Exited{{0, 1}, {std::nullopt, 9, false}, "node (pid 44)"});
  CHECK_TEXT(bench.why("teled"), R"(
teled is stopping and waits for leftovers: node (pid 44) (it was told to stop because the operator (uid 1000) asked for it).)");
  bench.tick();
  bench.tree_empty("teled");
  CHECK_TEXT(bench.log(), R"(
0.000 command stop teled
  teled: [command] stop, by the operator (uid 1000)
  unwatch teled/1 #0
  teled: ready -> stopping: the operator (uid 1000) asked for it
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: the operator (uid 1000) asked for it
10.000 tick
  teled: [signal] SIGKILL to its main process: it did not end within 10 s of SIGTERM
  signal teled/1 SIGKILL main
11.000 tick
  signal teled/1 SIGKILL main
11.000 exited teled/1: was killed by SIGKILL, leaving node (pid 44)
  teled: [exited] it was killed by SIGKILL, leaving node (pid 44)
13.000 tick
  teled: [signal] SIGKILL to what its last run left: node (pid 44)
  signal teled/1 SIGKILL leftovers
13.000 tree-empty teled/1
  teled: stopping -> off: the operator (uid 1000) asked for it
)");
}

TEST_CASE("engine: nothing is started before the leftovers of the last run are gone") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench = running(plan);
  bench.wait(std::chrono::seconds(60));
  bench.exited("gated", 1, "docker (pid 17)");
  CHECK_EQ(bench.states(), "gated stopping");
  bench.tick();
  CHECK_EQ(bench.states(), "gated stopping");
  bench.tree_empty("gated");
  CHECK_EQ(bench.states(), "gated starting");
}

TEST_CASE("engine: a stop while a start is under way stops it as soon as it is there") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.command(Command::Verb::stop, "gated");
  CHECK_EQ(bench.why("gated"),
           "gated is stopping and waits for its start, which is under way (it was told to stop "
           "because the operator (uid 1000) asked for it).");
  bench.log();
  SUBCASE("it starts") {
    bench.spawned("gated");
    bench.exited("gated", 0);
  }
  SUBCASE("it does not start") { bench.spawn_failed("gated", "no memory", true); }
  CHECK_EQ(bench.states(), "gated off");
  CHECK_EQ(bench.deadline(), -1);
}

TEST_CASE("engine: a second request hurries, a third one kills, and the grace is a bound") {
  PlanBuilder plan = three();
  for (plan::Service& each : plan.plan.services) each.stop.timeout = milliseconds(30'000);
  Bench bench = running(plan);
  bench.stop();
  CHECK_EQ(bench.states(), "gated stopping, teled stopping, onbod stopping");
  SUBCASE("second and third") {
    bench.log();
    bench.stop();
    CHECK_EQ(bench.deadline(), 2.0);
    bench.stop();
    CHECK_TEXT(bench.log(), R"(
0.000 stop-requested SIGTERM
  pod: [pod] stopping faster: asked a second time (SIGTERM)
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: SIGTERM
  signal teled/1 SIGTERM main
  teled: [signal] SIGTERM to its main process: SIGTERM
0.000 stop-requested SIGTERM
  pod: [pod] killing what is left: asked a third time (SIGTERM)
  gated: [signal] SIGKILL to its main process: it did not end within 0 ms of SIGTERM
  signal gated/1 SIGKILL main
  teled: [signal] SIGKILL to its main process: it did not end within 0 ms of SIGTERM
  signal teled/1 SIGKILL main
  onbod: [signal] SIGKILL to its main process: it did not end within 0 ms of SIGTERM
  signal onbod/1 SIGKILL main
)");
  }
  SUBCASE("processes that do not even die of SIGKILL") {
    const Instant began = bench.now();
    for (int i = 0; i < 200 && bench.view().state != PodState::ended; ++i) bench.tick();
    CHECK_EQ(std::chrono::duration<double>(bench.now() - began).count(), 40.0);
    CHECK_TEXT(bench.view().verdict + "\n", R"(
stopped as asked (SIGTERM); the grace is over and these still have processes: gated, teled, onbod
)");
  }
}

TEST_CASE("engine: a process that appears after the last SIGKILL is killed at once") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  for (int i = 0; i < 3; ++i) bench.stop();
  bench.log();
  bench.spawned("gated");
  CHECK_TEXT(bench.log(), R"(
0.000 spawned gated/1 pid 101
  gated: [spawned] pid 101, because everything it comes after is ready
  gated: [signal] SIGKILL to its main process: no time is left to ask it
  signal gated/1 SIGKILL main
)");
}

TEST_CASE("engine: while the pod stops nothing is started, whatever is asked") {
  Bench bench = running(three());
  bench.stop();
  bench.exited("onbod", 1);
  bench.command(Command::Verb::start, "onbod");
  bench.values({{"A", "1"}});
  bench.reload(three());
  CHECK_EQ(bench.states(), "gated stopping, teled stopping, onbod off");
}

TEST_CASE("engine: a stop before the values are there ends at once, with 0") {
  Bench bench(three());
  bench.stop();
  CHECK_EQ(bench.view().exit_code, 0);
}

TEST_CASE("engine: an operator's stop lasts; what comes after it keeps running and waits only when it ends") {
  Bench bench = running(three());
  bench.command(Command::Verb::stop, "gated");
  bench.exited("gated", 0);
  CHECK_EQ(bench.states(), "gated off, teled ready, onbod ready");
  bench.exited("teled", 1);
  CHECK_EQ(bench.states(), "gated off, teled waiting, onbod ready");
  bench.values({{"A", "1"}});
  CHECK_EQ(bench.states(), "gated off, teled waiting, onbod ready");
  CHECK_EQ(bench.why("teled"), "teled waits for gated; gated is off: the operator (uid 1000) asked for it.");
  bench.command(Command::Verb::start, "gated");
  bench.up("gated");
  CHECK_EQ(bench.states(), "gated ready, teled starting, onbod ready");
}

TEST_CASE("engine: commands in every state") {
  using enum Command::Verb;
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  const auto after = [&](Command::Verb verb) {
    bench.command(verb, "gated");
    return bench.states();
  };
  CHECK_EQ(after(start), "gated starting");
  CHECK_EQ(after(restart), "gated stopping");
  CHECK_EQ(after(stop), "gated stopping");
  CHECK_EQ(after(start), "gated stopping");
  bench.spawned("gated");
  bench.exited("gated", 0);
  CHECK_EQ(bench.states(), "gated starting");
  bench.up("gated");
  CHECK_EQ(after(start), "gated ready");
  bench.exited("gated", 1);
  CHECK_EQ(bench.states(), "gated backoff");
  CHECK_EQ(after(stop), "gated off");
  CHECK_FALSE(bench.view("gated").runs.next_start.has_value());
  CHECK_EQ(bench.deadline(), -1);
  CHECK_EQ(after(restart), "gated starting");
  bench.up("gated");
  CHECK_EQ(after(stop), "gated stopping");
  bench.exited("gated", 0);
  CHECK_EQ(bench.states(), "gated off");
  CHECK_EQ(after(stop), "gated off");
}

}  // namespace arizuko::tests
