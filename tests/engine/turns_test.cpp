// A turn is bounded, whatever happens in it.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness.hpp"

using namespace arizuko::tests;
using namespace std::chrono_literals;

namespace {

std::size_t spawns(const std::vector<Action>& actions) {
  return static_cast<std::size_t>(
      std::ranges::count_if(actions, [](const Action& each) { return std::holds_alternative<Spawn>(each); }));
}

void without_pause(arizuko::plan::Service& service) {
  service.ready.clear();
  service.restart.delay = 0s;
  service.restart.budget = 0;
}

}  // namespace

TEST_CASE("engine: a command that is not there is not tried in a loop, whatever delay and budget say") {
  PlanBuilder plan;
  without_pause(plan.service("absent"));
  Bench bench(plan);
  bench.values({});
  std::vector<double> pauses;
  for (int i = 0; i < 9; ++i) {
    bench.spawn_failed("absent", "executing /nonexist: No such file or directory (ENOENT)");
    CHECK(bench.view("absent").state == State::backoff);
    pauses.push_back(bench.deadline());
    bench.tick();
  }
  CHECK(pauses == std::vector<double>{0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 6.4});
}

TEST_CASE("engine: a pause that is longer by the plan stays so after a spawn that failed") {
  PlanBuilder plan;
  plan.service("absent").restart.delay = 2s;
  Bench bench(plan);
  bench.values({});
  bench.spawn_failed("absent", "entering the directory /gone: No such file or directory (ENOENT)");
  CHECK(bench.deadline() == 2);
}

TEST_CASE("engine: a service that ends at once is restarted at once 50 times, then ten times a second") {
  PlanBuilder plan;
  without_pause(plan.service("quick"));
  Bench bench(plan);
  bench.values({});
  int at_once = 0;
  for (; bench.view("quick").state == State::starting; ++at_once) {
    bench.spawned("quick");
    bench.exited("quick", 1);
  }
  CHECK(at_once == 51);
  const Instant began = bench.now();
  for (int i = 0; i < 100; ++i) {
    bench.tick();
    bench.spawned("quick");
    bench.exited("quick", 1);
  }
  CHECK(bench.now() - began >= 9900ms);
  bench.wait(10s);  // a calm while, and all is as at first
  bench.tick();
  bench.spawned("quick");
  bench.wait(60s);
  bench.exited("quick", 1);
  CHECK(bench.view("quick").state == State::starting);
}

TEST_CASE("engine: rules that chase each other are a fault of ours: a note, exit 70, and then silence") {
  PlanBuilder plan;
  plan.service("gated");
  plan.service("teled", {"gated"});
  Engine engine(std::make_shared<const arizuko::plan::Plan>(plan.plan), Bounds{.rounds_a_service = 0});
  auto snapshot = std::make_shared<arizuko::env::Snapshot>();
  snapshot->generation = 1;
  std::vector<Action> actions;
  engine.handle(EnvironmentChanged{.snapshot = snapshot, .unlike_last_run = {}, .switched = {}},
                Instant{} + 1000s, actions);
  const auto fault = std::ranges::find_if(actions, [](const Action& each) {
    const auto* note = std::get_if<Note>(&each);
    return note != nullptr && note->what == What::fault;
  });
  REQUIRE(fault != actions.end());
  CHECK(severity(std::get<Note>(*fault)) == Severity::error);
  const auto* exit = std::get_if<Exit>(&actions.back());
  REQUIRE(exit != nullptr);
  CHECK(exit->code == 70);
  CHECK(engine.view().exit_code == 70);
  CHECK_FALSE(engine.deadline());
  actions.clear();
  engine.handle(StopRequested{"SIGTERM"}, Instant{} + 1001s, actions);
  CHECK(actions.empty());
}

TEST_CASE(
    "engine: in 40 layers, each after both below, what is tried after them is asked once, not 2^40 times") {
  PlanBuilder plan;
  plan.service("gated");
  std::string left = "gated";
  std::string right = "gated";
  for (int layer = 0; layer < 40; ++layer) {
    const std::string next_left = fmt::format("l{}", layer);
    const std::string next_right = fmt::format("r{}", layer);
    plan.service(next_left, {left, right});
    plan.service(next_right, {left, right});
    left = next_left;
    right = next_right;
  }
  plan.service("last");
  plan.after_tried("last", {left, right});
  Bench bench(plan);
  bench.values({});
  CHECK(bench.view("last").state == State::waiting);
  bench.spawned("gated");
  bench.exited("gated", 1);  // in back-off: all the layers are stuck behind it
  CHECK(bench.view("gated").state == State::backoff);
  CHECK(bench.view("last").state == State::starting);
}

TEST_CASE("engine: a chain of 4096 starts, restarts its head and stops link by link") {
  constexpr std::size_t length = 4096;
  arizuko::plan::Plan plan;
  plan.pod.instance = "test";
  plan.pod.grace = 1h;
  for (arizuko::plan::ServiceId id = 0; id < length; ++id) {
    arizuko::plan::Service service;
    service.name = fmt::format("s{}", id);
    service.command = {"s"};
    if (id > 0) service.after = service.bound_to = {id - 1};
    plan.services.push_back(service);
  }
  Engine engine(plan);
  const Instant now = Instant{} + 1000s;
  std::vector<Action> actions;
  auto snapshot = std::make_shared<arizuko::env::Snapshot>();
  snapshot->generation = 1;
  engine.handle(EnvironmentChanged{.snapshot = snapshot, .unlike_last_run = {}, .switched = {}}, now,
                actions);
  for (arizuko::plan::ServiceId id = 0; id < length; ++id) {
    CHECK(spawns(actions) == 1);
    actions.clear();
    engine.handle(Spawned{{id, 1}, 100 + static_cast<Pid>(id)}, now, actions);
  }
  actions.clear();
  engine.handle(StopRequested{"SIGTERM"}, now, actions);
  for (arizuko::plan::ServiceId id = length; id-- > 0;) {
    const auto told = std::ranges::find_if(
        actions, [](const Action& each) { return std::holds_alternative<Signal>(each); });
    REQUIRE(told != actions.end());
    CHECK(std::get<Signal>(*told).run.service == id);
    CHECK(engine.view().services[0].waiting_for.size() == 1);  // the nearest, not all 4095
    actions.clear();
    engine.handle(Exited{{id, 1}, {0, std::nullopt}, ""}, now, actions);
  }
  CHECK(engine.view().exit_code == 0);
}

TEST_CASE("engine: PID 1 was stopped for 12 s: what nobody could look at is not \"not ready within 6 s\"") {
  PlanBuilder plan;
  plan.service("gated").ready_within = 6s;
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.wait(12s);
  bench.deliver(Tick{});
  CHECK(bench.view("gated").state == State::starting);
  bench.condition("gated", 0, true);  // the look after the stop
  CHECK(bench.view("gated").state == State::ready);
}

TEST_CASE("engine: the time that a stop of PID 1 gives back ends, too") {
  PlanBuilder plan;
  plan.service("gated").ready_within = 6s;
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.wait(12s);
  bench.deliver(Tick{});
  CHECK(bench.deadline() == 6);
  bench.tick();
  CHECK(bench.view("gated").state == State::stopping);
  CHECK(bench.view("gated").why == Why::not_ready);
}

TEST_CASE("engine: a Tick that is late as ticks are changes no deadline") {
  PlanBuilder plan;
  plan.service("gated").ready_within = 6s;
  Bench bench(plan);
  bench.values({});
  bench.spawned("gated");
  bench.wait(6900ms);
  bench.deliver(Tick{});
  CHECK(bench.view("gated").state == State::stopping);
}

TEST_CASE(
    "engine: PID 1 was stopped while services restart for a new value: it is not rolled back for that") {
  PlanBuilder plan;
  plan.service("gated").take = {"TOKEN"};
  Bench bench(plan);
  bench.values({{"TOKEN", "1"}});
  bench.up("gated");
  bench.values({{"TOKEN", "2"}});
  bench.exited("gated", 0);
  bench.spawned("gated");
  bench.wait(10min);
  bench.deliver(Tick{});
  REQUIRE(bench.view().values.rotation);
  CHECK(bench.view().values.rotation->phase == RotationPhase::restarting);
  bench.condition("gated", 0, true);
  bench.tick();
  CHECK(bench.view().values.rotation->outcome == Outcome::applied);
}

TEST_CASE(
    "engine: a generation that lived for a second is applied, and says that it was not watched for long") {
  PlanBuilder plan;
  plan.service("gated").take = {"TOKEN"};
  Bench bench(plan);
  bench.values({{"TOKEN", "1"}});
  bench.up("gated");
  bench.values({{"TOKEN", "2"}});
  bench.exited("gated", 0);
  bench.up("gated");
  bench.log();
  bench.wait(1s);
  bench.values({{"TOKEN", "3"}});
  CHECK(bench.log().contains(
      "generation 2 is applied: ready again with it after 0 ms: gated; a newer one came after "
      "1.0 s of the 5.0 s that it is watched"));
}
