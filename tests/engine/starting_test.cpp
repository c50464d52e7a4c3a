// When a service starts, and when it is ready.
#include "harness.hpp"

namespace arizuko::tests {

TEST_CASE("engine: nothing starts before the values are there") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.deliver(Tick{});
  CHECK_EQ(bench.states(), "gated waiting");
  CHECK_EQ(bench.why("gated"), "gated waits for the values of the environment.");
  CHECK(bench.view("gated").since == bench.now());
}

TEST_CASE("engine: nothing starts before its gate is ready") {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled", {"gated"});
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.condition("gated", 0, false, "connection refused");
  CHECK_EQ(bench.states(), "gated starting, teled waiting");
  CHECK_TEXT(bench.why("teled"), R"(
teled waits for gated; gated has been starting for 0 ms and waits for file /gated (connection refused); it was started because everything it comes after is ready.)");
  bench.condition("gated", 0, true);
  CHECK_TEXT(bench.log(), R"(
0.000 environment 1:
  pod: [environment] generation 1 is taken: 0 values
  gated: waiting -> starting: everything it comes after is ready
  spawn gated/1 generation 1
  pod: [pod] opened: everything that readiness asks for is ready
0.000 spawned gated/1 pid 101
  gated: [spawned] pid 101, because everything it comes after is ready
  watch gated/1 #0
0.000 condition gated/1 #0 fails
0.000 condition gated/1 #0 holds
  gated: [condition] file /gated holds
  gated: starting -> ready: all its readiness conditions hold
  teled: waiting -> starting: everything it comes after is ready
  spawn teled/1 generation 1
)");
}

TEST_CASE("engine: tasks come first, each once, and what comes after waits for the values read again") {
  PlanBuilder plan;
  plan.task("create").verify = {"/groups/main"};
  plan.service("gated", {"create"});
  Bench bench(plan);
  bench.values({});
  bench.spawned("create");
  bench.exited("create", 0);
  CHECK_EQ(bench.states(), "create starting, gated waiting");
  bench.condition("create", 0, true);
  CHECK_EQ(bench.states(), "create starting, gated waiting");
  bench.values({{"CHANNEL_SECRET", "x"}});
  CHECK_EQ(bench.states(), "create done, gated starting");
  CHECK_EQ(bench.view("gated").run.generation, 2);
  CHECK_TEXT(bench.log(), R"(
0.000 environment 1:
  pod: [environment] generation 1 is taken: 0 values
  create: waiting -> starting: everything it comes after is ready
  spawn create/1 generation 1
0.000 spawned create/1 pid 101
  create: [spawned] pid 101, because everything it comes after is ready
0.000 exited create/1: exited with code 0
  create: [exited] it exited with code 0
  watch create/1 #0
0.000 condition create/1 #0 holds
  unwatch create/1 #0
  task-done create
0.000 environment 2: CHANNEL_SECRET=x
  create: starting -> done: it exited with code 0
  pod: [environment] generation 2 is taken: 1 added (CHANNEL_SECRET)
  gated: waiting -> starting: everything it comes after is ready
  spawn gated/1 generation 2
  pod: [environment] generation 2 is applied: no running service had to be restarted
  pod: [pod] opened: everything that readiness asks for is ready
)");
}

TEST_CASE("engine: a task whose file exists already is done without running (T12)") {
  PlanBuilder plan;
  plan.task("create").creates = "/srv/.env";
  Bench bench(plan);
  bench.values({});
  bench.condition("create", 0, true);
  CHECK_TEXT(bench.log(), R"(
0.000 environment 1:
  pod: [environment] generation 1 is taken: 0 values
  create: waiting -> starting: arizuko-init checks whether /srv/.env exists
  watch create/0 #0
0.000 condition create/0 #0 holds
  unwatch create/0 #0
  create: starting -> done: /srv/.env exists already
  pod: [pod] opened: everything that readiness asks for is ready
)");
  CHECK(bench.view().seeded);
}

TEST_CASE("engine: a task that leaves nothing has failed, though it exited with code 0 (T13)") {
  PlanBuilder plan;
  plan.task("create").verify = {"/groups/main"};
  Bench bench(plan);
  bench.values({});
  bench.spawned("create");
  bench.exited("create", 0);
  bench.log();
  bench.condition("create", 0, false);
  CHECK_TEXT(bench.log(), R"(
0.000 condition create/1 #0 fails
  unwatch create/1 #0
  create: starting -> failed: it exited with code 0, but /groups/main does not exist
  pod: [pod] stopping: task create failed: it exited with code 0, but /groups/main does not exist
  pod: [pod] ended with exit code 73: task create failed: it exited with code 0, but /groups/main does not exist
  exit 73 by create: task create failed: it exited with code 0, but /groups/main does not exist
)");
  CHECK_EQ(bench.view().exit_code, 73);
}

TEST_CASE("engine: a look whether a task is done does not start it when its gate has gone meanwhile") {
  PlanBuilder plan;
  plan.service("db");
  plan.task("create", {"db"}).creates = "/srv/.env";
  Bench bench(plan);
  bench.values({});
  bench.up("db");
  bench.exited("db", 1);
  bench.condition("create", 0, false);
  CHECK_EQ(bench.states(), "db backoff, create waiting");
  CHECK_EQ(bench.run("create"), 0);
}

TEST_CASE("engine: if the values are not read again after a task, the old ones serve") {
  PlanBuilder plan;
  plan.task("create");
  plan.service("gated", {"create"});
  Bench bench(plan);
  bench.values({});
  bench.spawned("create");
  bench.exited("create", 0);
  CHECK_EQ(bench.deadline(), 5.0);
  bench.tick();
  CHECK_EQ(bench.states(), "create done, gated starting");
}

TEST_CASE("engine: not ready within its time is a failure that names the condition") {
  PlanBuilder plan;
  plan.service("gated").ready_within = milliseconds(3000);
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.condition("gated", 0, false, "connection refused");
  bench.log();
  bench.tick();
  bench.killed("gated", 15);
  CHECK_TEXT(bench.log(), R"(
3.000 tick
  unwatch gated/1 #0
  gated: starting -> stopping: it was not ready within 3.0 s: file /gated (connection refused)
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: it was not ready within 3.0 s: file /gated (connection refused)
3.000 exited gated/1: was killed by SIGTERM
  gated: [exited] it was killed by SIGTERM
  gated: stopping -> backoff: it was not ready within 3.0 s: file /gated (connection refused) (failure 1 of 10 within 10 min)
)");
}

TEST_CASE("engine: a condition with `wait` is dropped, loudly, and the service is ready without it (T2)") {
  PlanBuilder plan;
  plan.service("gated").ready.push_back(file_exists("/slow"));
  plan["gated"].ready[1].wait = milliseconds(2000);
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  CHECK_EQ(bench.states(), "gated starting");
  bench.log();
  bench.tick();
  CHECK_TEXT(bench.log(), R"(
2.000 tick
  gated: [condition] dropped, it never held: file /slow, dropped after 2s
  unwatch gated/1 #1
  gated: starting -> ready: all its readiness conditions hold
)");
}

TEST_CASE("engine: a Tick that comes late drops a condition and does not fail the service") {
  PlanBuilder plan;
  plan.service("gated").ready[0].wait = milliseconds(2000);
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.wait(std::chrono::hours(1));
  bench.deliver(Tick{});
  CHECK_EQ(bench.states(), "gated ready");
}

TEST_CASE("engine: an unready service is not restarted, and what comes after it waits") {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled", {"gated"});
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.condition("gated", 0, false, "503");
  CHECK_EQ(bench.states(), "gated unready, teled starting");
  bench.up("teled");
  bench.exited("teled", 1);
  CHECK_EQ(bench.states(), "gated unready, teled waiting");
  CHECK_EQ(bench.deadline(), -1);
  CHECK_TEXT(bench.why_pod(), R"(
The pod is ready, but gated has been unready for 0 ms: file /gated (503).)");
  bench.condition("gated", 0, true);
  CHECK_EQ(bench.states(), "gated ready, teled starting");
}

TEST_CASE("engine: a missing value blocks a service and names the key; the rest runs (T34)") {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled", {"gated"}).need = {"TELEGRAM_BOT_TOKEN", "CHANNEL_SECRET"};
  Bench bench(plan);
  bench.values({{"CHANNEL_SECRET", "x"}});
  bench.up("gated");
  CHECK_EQ(bench.states(), "gated ready, teled blocked");
  CHECK_EQ(bench.why("teled"), "teled is blocked: it needs TELEGRAM_BOT_TOKEN, which is not set.");
  bench.values({{"CHANNEL_SECRET", "x"}, {"TELEGRAM_BOT_TOKEN", "t"}});
  CHECK_EQ(bench.states(), "gated ready, teled starting");
}

TEST_CASE("engine: a key that is needed under another name is named with it") {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("work", {"gated"}).need = {{"TOKEN", "TOKEN_WORK"}};
  Bench bench(plan);
  bench.values({{"TOKEN", "of another"}});
  bench.up("gated");
  CHECK_EQ(bench.why("work"), "work is blocked: it needs TOKEN_WORK (as TOKEN), which is not set.");
  bench.values({{"TOKEN_WORK", "its own"}});
  CHECK_EQ(bench.states(), "gated ready, work starting");
}

TEST_CASE("engine: an essential service without a needed value ends the boot with 78") {
  PlanBuilder plan;
  plan.service("gated").need = {"CHANNEL_SECRET"};
  plan["gated"].essential = true;
  Bench bench(plan);
  bench.values({});
  CHECK_TEXT(bench.log(), R"(
0.000 environment 1:
  pod: [environment] generation 1 is taken: 0 values
  pod: [pod] stopping: needed values are not set: CHANNEL_SECRET (for gated). Set them in one of the sources of [env]: the mounted Secret or ConfigMap, the .env file, the environment
  gated: waiting -> off: the pod is stopping
  pod: [pod] ended with exit code 78: needed values are not set: CHANNEL_SECRET (for gated). Set them in one of the sources of [env]: the mounted Secret or ConfigMap, the .env file, the environment
  exit 78 by gated: needed values are not set: CHANNEL_SECRET (for gated). Set them in one of the sources of [env]: the mounted Secret or ConfigMap, the .env file, the environment
)");
}

TEST_CASE("engine: order without dependence: what can never start is not waited for (T11)") {
  PlanBuilder plan;
  plan.service("gated").restart.when = plan::RestartWhen::never;
  plan.service("proxyd", {"gated"});
  plan.service("teled", {"proxyd"});
  plan.service("onbod");
  plan.after_tried("onbod", {"teled"});
  Bench bench(plan);
  bench.values({});
  CHECK_EQ(bench.states(), "gated starting, proxyd waiting, teled waiting, onbod waiting");
  bench.spawned("gated");
  bench.exited("gated", 1);
  CHECK_EQ(bench.states(), "gated failed, proxyd waiting, teled waiting, onbod starting");
}

TEST_CASE("engine: liveness that failed restarts; liveness that never held gets its allowed failures first") {
  PlanBuilder plan;
  plan.service("gated").live = {file_exists("/live"), file_exists("/live2")};
  for (plan::Condition& live : plan["gated"].live) live.every = milliseconds(1000);
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.condition("gated", 1, false);
  CHECK_EQ(bench.deadline(), 3.0);
  SUBCASE("it holds in time, whether or not the other one was answered") {
    bench.condition("gated", 1, true);
    CHECK_EQ(bench.deadline(), -1);
    bench.log();
    bench.condition("gated", 1, false, "no answer");
    CHECK_TEXT(bench.log(), R"(
0.000 condition gated/1 #1 fails
  gated: [condition] file /live ceased to hold: no answer
  unwatch gated/1 #0
  unwatch gated/1 #1
  unwatch gated/1 #2
  gated: ready -> stopping: its liveness failed: file /live: no answer
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: its liveness failed: file /live: no answer
)");
  }
  SUBCASE("it never holds") {
    bench.log();
    bench.tick();
    CHECK_TEXT(bench.log(), R"(
3.000 tick
  unwatch gated/1 #0
  unwatch gated/1 #1
  unwatch gated/1 #2
  gated: ready -> stopping: its liveness never held: file /live
  signal gated/1 SIGTERM main
  gated: [signal] SIGTERM to its main process: its liveness never held: file /live
)");
  }
}

TEST_CASE("engine: what is looked at only while the service is ready restarts nobody who is not (T41)") {
  PlanBuilder plan;
  plan.service("teled").live = {file_exists("/alive"), file_exists("/registered")};
  plan["teled"].live[1].looked_at = plan::LookedAt::while_ready;
  for (plan::Condition& live : plan["teled"].live) live.every = milliseconds(1000);
  Bench bench(plan);
  bench.values({});
  bench.up("teled");
  bench.condition("teled", 1, true);
  bench.condition("teled", 2, true);
  bench.log();
  SUBCASE("its platform is away: it is not asked, and what it said before is nothing") {
    bench.condition("teled", 0, false, "status 503");
    CHECK_TEXT(bench.log(), R"(
0.000 condition teled/1 #0 fails
  teled: [condition] file /teled ceased to hold: status 503
  teled: ready -> unready: a readiness condition does not hold any more
  unwatch teled/1 #2
)");
    CHECK(bench.view("teled").liveness[1].is == ConditionView::Is::unknown);
    bench.condition("teled", 2, false, "too late");
    CHECK_EQ(bench.states(), "teled unready");
    bench.log();
    bench.condition("teled", 0, true);
    CHECK_TEXT(bench.log(), R"(
0.000 condition teled/1 #0 holds
  teled: [condition] file /teled holds
  teled: unready -> ready: all its readiness conditions hold
  watch teled/1 #2
)");
    bench.condition("teled", 2, false, "not there");
    CHECK_EQ(bench.deadline(), 3.0);
    SUBCASE("well again, but forgotten meanwhile: after the allowed failures it is started again") {
      bench.tick();
      CHECK_EQ(bench.states(), "teled stopping");
      CHECK(bench.view("teled").why == Why::never_live);
    }
    SUBCASE("away again before that: nothing follows") {
      bench.condition("teled", 0, false, "status 503");
      CHECK_EQ(bench.deadline(), -1);
      CHECK_EQ(bench.states(), "teled unready");
    }
  }
  SUBCASE("ready and forgotten: it is started again") {
    bench.condition("teled", 2, false, "not there");
    CHECK_EQ(bench.states(), "teled stopping");
  }
}

TEST_CASE("engine: a run whose liveness never held was not a stable one: the pauses grow") {
  PlanBuilder plan;
  plan.service("teled").live = {file_exists("/registered")};
  plan["teled"].live[0].every = milliseconds(20'000);
  plan["teled"].restart.stable = milliseconds(30'000);
  plan["teled"].restart.budget = 0;
  plan["teled"].restart.jitter = 0;
  Bench bench(plan);
  bench.values({});
  std::vector<double> pauses;
  for (int round = 0; round < 4; ++round) {
    bench.up("teled");
    bench.condition("teled", 1, false, "not there");
    bench.tick();  // a minute later
    bench.exited("teled", 0);
    pauses.push_back(bench.deadline());
    bench.tick();
  }
  CHECK(pauses == std::vector<double>{0.5, 1, 2, 4});
}

TEST_CASE("engine: late events of a run that is over are ignored") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.exited("gated", 1);
  bench.log();
  bench.condition("gated", 0, true);
  bench.exited("gated", 1);
  bench.tree_empty("gated");
  bench.spawned("gated");
  bench.tick();
  bench.deliver(Exited{{0, 1}, {1, std::nullopt, false}, ""});
  bench.deliver(ConditionChanged{{0, 1}, 0, true, ""});
  CHECK_TEXT(bench.log(), R"(
0.000 condition gated/1 #0 holds
0.000 exited gated/1: exited with code 1
0.000 tree-empty gated/1
0.000 spawned gated/1 pid 102
0.500 tick
  gated: backoff -> waiting: its back-off is over
  gated: waiting -> starting: its back-off is over; before that it exited with code 1
  spawn gated/2 generation 1
0.500 exited gated/1: exited with code 1
0.500 condition gated/1 #0 holds
)");
}

}  // namespace arizuko::tests
