// New values as a transaction: one service after the other, and a way back.
#include "harness.hpp"

namespace arizuko::tests {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

env::SnapshotPtr snapshot(std::initializer_list<std::pair<std::string, env::Value>> values) {
  auto made = std::make_shared<env::Snapshot>();
  for (const auto& [key, value] : values) made->values[key] = value;
  return made;
}

EnvironmentChanged asked(env::SnapshotPtr values) {
  return {.snapshot = std::move(values), .asked = true, .unlike_last_run = {}, .switched = {}};
}

// gated, and beside it three that are not bound to it; all see VALUE.
PlanBuilder equals() {
  PlanBuilder plan;
  for (const char* name : {"gated", "proxyd", "timed", "webd"}) plan.service(name).take = {"VALUE"};
  plan["gated"].essential = true;
  plan.plan.pod.ready_when = {1};
  return plan;
}

PlanBuilder gate() {
  PlanBuilder plan;
  plan.service("gated").take = {"SECRET"};
  plan.service("slakd").take = {"SLACK"};
  plan.service("teled").take = {"SECRET", "TOKEN"};
  plan.bind("slakd", {"gated"});
  plan.bind("teled", {"gated"});
  return plan;
}

void bring_up(Bench& bench) {
  for (const ServiceView& each : bench.view().services) {
    if (each.state == State::starting && !each.run.pid) bench.up(each.name);
  }
}

Bench running(const PlanBuilder& plan, std::initializer_list<std::pair<std::string, std::string>> values) {
  Bench bench(plan);
  bench.values(values);
  for (std::size_t i = 0; i < plan.plan.services.size(); ++i) bring_up(bench);
  bench.log();
  return bench;
}

// It ends as told, and comes up again.
void restart(Bench& bench, std::string_view name) {
  bench.exited(name, 0);
  bench.up(name);
}

Outcome outcome(const Bench& bench) { return bench.view().values.rotation->outcome.value(); }

std::uint64_t count(const Bench& bench, Outcome outcome) {
  return bench.view().values.rotations[static_cast<std::size_t>(outcome)];
}

}  // namespace

TEST_CASE("engine: a rotation goes from one service to the next, the least critical first") {
  Bench bench = running(equals(), {{"VALUE", "1"}});
  bench.values({{"VALUE", "2"}});
  CHECK_EQ(bench.states(), "gated ready, proxyd ready, timed stopping, webd ready");
  CHECK_EQ(bench.view().values.rotation->services,
           std::vector<std::string>{"gated", "proxyd", "timed", "webd"});
  restart(bench, "timed");
  CHECK_EQ(bench.states(), "gated ready, proxyd ready, timed ready, webd stopping");
  restart(bench, "webd");
  CHECK_EQ(bench.states(), "gated ready, proxyd stopping, timed ready, webd ready");
  restart(bench, "proxyd");
  CHECK_EQ(bench.states(), "gated stopping, proxyd ready, timed ready, webd ready");
  CHECK_EQ(bench.view().values.rotation->remaining, std::vector<std::string>{});
  restart(bench, "gated");
  CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::observing);
  CHECK_EQ(bench.deadline(), 5);
  bench.tick();
  CHECK_EQ(outcome(bench), Outcome::applied);
  CHECK(
      bench.log().contains("generation 2 is applied: ready again with it after 0 ms: gated, proxyd, timed"));
}

TEST_CASE("engine: a gate goes first, and what is bound to it once, with it") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "2"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  CHECK_EQ(bench.states(), "gated stopping, slakd stopping, teled stopping");
  bench.exited("slakd", 0);
  bench.exited("teled", 0);
  restart(bench, "gated");
  bring_up(bench);
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready");
  bench.tick();
  CHECK_EQ(outcome(bench), Outcome::applied);
  CHECK_EQ(bench.view("slakd").runs.spawns, 2);
  CHECK_EQ(bench.view("teled").runs.spawns, 2);
}

TEST_CASE(
    "engine: a service that does not bear its new value goes back to the old one, and nobody else restarts") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "good"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "bad"}, {"TOKEN", "1"}});
  bench.exited("slakd", 0);
  bench.spawned("slakd");
  bench.log();
  bench.exited("slakd", 1);
  CHECK_TEXT(bench.log(), R"(
0.000 exited slakd/2: exited with code 1
  slakd: [exited] it exited with code 1
  unwatch slakd/2 #0
  slakd: starting -> waiting: it exited with code 1
  pod: [environment] generation 2 is rolled back to generation 1: slakd: it exited with code 1
  pod: [environment] SLACK was changed and is held back, the old value stays: slakd did not bear it: it exited with code 1. It is tried once more in 1 min
  slakd: waiting -> starting: generation 2 is rolled back (slakd: it exited with code 1)
  spawn slakd/3 generation 1
)");
  CHECK_EQ(bench.view().values.generation, 1);
  bench.up("slakd");
  CHECK_EQ(outcome(bench), Outcome::rolled_back);
  CHECK_EQ(bench.view("slakd").runs.failures, 0);
  CHECK_EQ(bench.view("slakd").run.generation, 1);
  CHECK(bench.view("slakd").run.last_start_why == Why::rolled_back);
  CHECK_EQ(bench.view("gated").runs.spawns, 1);
  CHECK_EQ(bench.view("teled").runs.spawns, 1);

  SUBCASE("the same values again are no news, until an operator asks") {
    bench.values({{"SECRET", "1"}, {"SLACK", "bad"}, {"TOKEN", "1"}});
    CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready");
    bench.offer(asked(snapshot({{"SECRET", {"1", ""}}, {"SLACK", {"bad", ""}}, {"TOKEN", {"1", ""}}})));
    CHECK_EQ(bench.view("slakd").state, State::stopping);
  }
  SUBCASE("the old values again are in force already") {
    bench.values({{"SECRET", "1"}, {"SLACK", "good"}, {"TOKEN", "1"}});
    CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready");
    CHECK_EQ(outcome(bench), Outcome::applied);
  }
}

TEST_CASE("engine: a crash soon after all are ready is the values' fault, a later one is the service's own") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  restart(bench, "slakd");
  SUBCASE("soon") {
    bench.wait(milliseconds(4900));
    bench.exited("slakd", 1);
    CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::going_back);
    CHECK_EQ(bench.view("slakd").state, State::starting);
    CHECK_EQ(bench.view().values.generation, 1);
  }
  SUBCASE("later") {
    bench.wait(milliseconds(5000));
    bench.exited("slakd", 1);
    CHECK_EQ(outcome(bench), Outcome::applied);
    CHECK_EQ(bench.view("slakd").state, State::backoff);
    CHECK_EQ(bench.view("slakd").runs.failures, 1);
  }
}

TEST_CASE("engine: what is on its way down when the observation ends has not borne its values") {
  PlanBuilder plan = gate();
  plan::Condition alive = file_exists("/alive");
  alive.failures = 1;
  plan["slakd"].live = {alive};
  Bench bench = running(plan, {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  restart(bench, "slakd");
  bench.condition("slakd", 1, true);
  bench.wait(milliseconds(4900));
  bench.condition("slakd", 1, false, "it hangs");
  CHECK_EQ(bench.view("slakd").state, State::stopping);
  SUBCASE("the time is over") { bench.wait(milliseconds(100)); }
  SUBCASE("a newer generation comes") {
    bench.values({{"SECRET", "1"}, {"SLACK", "3"}, {"TOKEN", "1"}});
    CHECK(bench.view().values.waiting_values);
  }
  bench.tick();
  CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::going_back);
  CHECK_EQ(bench.view().values.generation, 1);
}

TEST_CASE("engine: several failures after one rotation are one cause and one way back") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "bad"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.exited("slakd", 0);
  bench.exited("teled", 0);
  restart(bench, "gated");
  bench.spawned("slakd");
  bench.spawned("teled");
  bench.exited("teled", 1);  // its gate refused it
  CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::going_back);
  bench.exited("slakd", 1);
  restart(bench, "gated");
  bring_up(bench);
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready");
  CHECK_EQ(outcome(bench), Outcome::rolled_back);
  CHECK_EQ(count(bench, Outcome::rolled_back), 1);
  CHECK_EQ(bench.view("gated").runs.spawns, 3);
  for (const char* name : {"gated", "slakd", "teled"}) CHECK_EQ(bench.view(name).runs.failures, 0);
}

TEST_CASE("engine: what fails with the old values too is rolled back in part, and its policy goes on") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  bench.exited("slakd", 0);
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  bench.spawned("slakd");
  bench.exited("slakd", 2);
  CHECK_EQ(outcome(bench), Outcome::rolled_back_in_part);
  CHECK(
      bench.log().contains("generation 2 is rolled back in part: slakd: it exited with code 1; and with the "
                           "old values slakd: it exited with code 2"));
  CHECK_EQ(bench.view("slakd").state, State::backoff);
  CHECK_EQ(bench.view("slakd").runs.failures, 1);
}

TEST_CASE("engine: what did not serve before does not decide, for there is nothing to go back to") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.exited("slakd", 1);
  CHECK_EQ(bench.view("slakd").state, State::backoff);
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  CHECK_EQ(outcome(bench), Outcome::applied);
  CHECK_EQ(bench.view("slakd").state, State::starting);
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  CHECK_EQ(bench.view("slakd").state, State::backoff);
  CHECK_EQ(bench.view().values.generation, 2);
}

TEST_CASE("engine: a service that is new with its token fails for itself, and switches off no value") {
  PlanBuilder plan = gate();
  plan["teled"].enabled_when = {{{"TOKEN", std::nullopt}}};
  Bench bench = running(plan, {{"SECRET", "1"}, {"SLACK", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "bad"}});
  CHECK_EQ(bench.states(), "gated ready, slakd stopping, teled starting");
  bench.spawned("teled");
  bench.exited("teled", 1);
  CHECK_EQ(bench.view("teled").state, State::backoff);
  restart(bench, "slakd");
  bench.wait(seconds(5));
  bench.tick();
  CHECK_EQ(outcome(bench), Outcome::applied);
}

TEST_CASE("engine: what a bad value switched off comes back with the old one") {
  PlanBuilder plan = gate();
  plan["teled"].enabled_when = {{{"TOKEN", std::nullopt}}};
  Bench bench = running(plan, {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "bad"}});
  restart(bench, "slakd");  // ready with it, so teled's turn comes
  CHECK_EQ(bench.view("teled").state, State::stopping);
  bench.exited("teled", 0);
  CHECK_EQ(bench.view("teled").state, State::off);
  bench.exited("slakd", 1);
  bench.up("slakd");
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled starting");
  bench.up("teled");
  CHECK_EQ(outcome(bench), Outcome::rolled_back);
}

TEST_CASE("engine: the newest values win; what came between is superseded, and each has one outcome") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "3"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "4"}, {"TOKEN", "1"}});
  CHECK_EQ(bench.view().values.waiting_values->generation, 4);
  restart(bench, "slakd");
  CHECK_EQ(bench.view("slakd").state, State::stopping);
  CHECK_FALSE(bench.view().values.waiting_values);
  restart(bench, "slakd");
  bench.tick();
  CHECK_EQ(bench.view().values.generation, 4);
  CHECK_EQ(count(bench, Outcome::applied), 2);
  CHECK_EQ(count(bench, Outcome::superseded), 1);
}

TEST_CASE("engine: a rotation that cannot end is rolled back in time, though no service failed") {
  PlanBuilder plan = gate();
  plan.service("other");
  plan.bind("slakd", {"gated", "other"});
  Bench bench = running(plan, {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  bench.killed("other", 9);
  bench.exited("slakd", 0);
  CHECK_EQ(bench.view("slakd").state, State::waiting);
  for (int i = 0; i < 1000 && bench.view().values.generation == 2; ++i) {
    bench.tick();
    if (bench.view("other").state == State::starting) bench.spawn_failed("other", "ENOENT");
  }
  CHECK_EQ(bench.view().values.generation, 1);
  CHECK(bench.log().contains("slakd: it did not become ready again in time"));
}

TEST_CASE("engine: what is bound to two services that restart comes back once, after both") {
  PlanBuilder plan;
  plan.service("first").take = {"VALUE"};
  plan.service("second").take = {"VALUE"};
  plan.service("both").take = {"VALUE"};
  plan.bind("both", {"first", "second"});
  Bench bench = running(plan, {{"VALUE", "1"}});
  bench.values({{"VALUE", "2"}});
  CHECK_EQ(bench.states(), "first stopping, second ready, both stopping");
  bench.exited("both", 0);
  restart(bench, "first");
  CHECK_EQ(bench.states(), "first ready, second stopping, both waiting");
  restart(bench, "second");
  bench.up("both");
  bench.tick();
  CHECK_EQ(outcome(bench), Outcome::applied);
  CHECK_EQ(bench.view("both").runs.spawns, 2);
}

TEST_CASE("engine: a service that restarts by itself before its turn takes the new values, and counts") {
  Bench bench = running(equals(), {{"VALUE", "1"}});
  bench.values({{"VALUE", "2"}});
  CHECK_EQ(bench.view("timed").state, State::stopping);
  bench.killed("webd", 9);
  bench.tick();
  bench.spawned("webd");
  bench.exited("webd", 1);
  CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::going_back);
  CHECK(bench.log().contains("generation 2 is rolled back to generation 1: webd: it exited with code 1"));
}

TEST_CASE(
    "engine: rotations that restart a service too often wait: one wait collects, and the newest is taken") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "0"}, {"TOKEN", "1"}});
  const auto rotate = [&](int value) {
    bench.values({{"SECRET", "1"}, {"SLACK", std::to_string(value)}, {"TOKEN", "1"}});
  };
  for (int i = 1; i <= static_cast<int>(most_rotations); ++i) {
    rotate(i);
    restart(bench, "slakd");
    bench.tick();
  }
  bench.log();
  rotate(98);
  CHECK_EQ(bench.view("slakd").state, State::ready);
  CHECK_EQ(bench.view().values.waiting_values->until.has_value(), true);
  CHECK(bench.log().contains("slakd was restarted for new values 10 times within 1 h"));
  rotate(99);
  SUBCASE("the wait is over") {
    bench.tick();
    CHECK_EQ(bench.view("slakd").state, State::stopping);
    CHECK_EQ(count(bench, Outcome::superseded), 1);
    CHECK_EQ(bench.view().values.rotation->generation, 13);
  }
  SUBCASE(
      "a service that was not restarted too often: its values wait as well, for they are one generation") {
    bench.values({{"SECRET", "1"}, {"SLACK", "99"}, {"TOKEN", "2"}});
    CHECK_EQ(bench.view("teled").state, State::ready);
  }
  SUBCASE("the operator asks") {
    bench.offer(asked(snapshot({{"SECRET", {"1", ""}}, {"SLACK", {"99", ""}}, {"TOKEN", {"1", ""}}})));
    CHECK_EQ(bench.view("slakd").state, State::stopping);
  }
  SUBCASE("the values of before come back: nothing waits any more") {
    rotate(static_cast<int>(most_rotations));
    CHECK_FALSE(bench.view().values.waiting_values);
    CHECK_EQ(bench.view("slakd").state, State::ready);
  }
}

TEST_CASE("engine: a source that is emptied is refused, and taken when an operator asks") {
  PlanBuilder plan = gate();
  Bench bench(plan);
  bench.offer({.snapshot = snapshot({{"SECRET", {"1", "dir:/secrets"}}, {"HOME", {"/", "environment"}}}),
               .unlike_last_run = {},
               .switched = {}});
  for (int i = 0; i < 3; ++i) bring_up(bench);
  bench.log();
  const env::SnapshotPtr emptied = snapshot({{"HOME", {"/", "environment"}}});
  bench.offer({.snapshot = emptied, .unlike_last_run = {}, .switched = {}});
  CHECK_EQ(outcome(bench), Outcome::refused);
  CHECK(
      bench.log().contains("generation 2 is refused, the old values stay: all that it changes is held back: "
                           "SECRET (nothing is left in dir:/secrets)"));
  bench.offer(asked(emptied));
  CHECK_EQ(bench.view("gated").state, State::stopping);
  // The keys are given by another source now: nothing is lost.
  Bench moved(plan);
  moved.offer({.snapshot = snapshot({{"SECRET", {"1", "dir:/a"}}}), .unlike_last_run = {}, .switched = {}});
  moved.offer({.snapshot = snapshot({{"SECRET", {"2", "dir:/b"}}}), .unlike_last_run = {}, .switched = {}});
  CHECK_EQ(outcome(moved), Outcome::applied);
}

TEST_CASE("engine: a stop in the middle of a rotation ends it") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "3"}, {"TOKEN", "1"}});
  bench.stop();
  CHECK_EQ(outcome(bench), Outcome::interrupted);
  CHECK_EQ(count(bench, Outcome::interrupted), 2);
}

TEST_CASE("engine: a new plan waits for the end of a rotation") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  PlanBuilder plan = gate();
  plan.service("webd");
  bench.reload(plan);
  CHECK_EQ(bench.states(), "gated ready, slakd stopping, teled ready");
  restart(bench, "slakd");
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready, webd starting");
  CHECK_EQ(outcome(bench), Outcome::applied);
}

TEST_CASE(
    "engine: a signal stands for a restart where the policy says so, and its death is the values' fault") {
  PlanBuilder plan = gate();
  plan["slakd"].on_change = plan::OnChange::signal;
  plan["slakd"].change_signal = 1;
  Bench bench = running(plan, {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  CHECK_EQ(bench.view("slakd").state, State::ready);
  bench.killed("slakd", 1);
  CHECK_EQ(bench.view().values.rotation->phase, RotationPhase::going_back);
  bench.up("slakd");
  CHECK_EQ(outcome(bench), Outcome::rolled_back);
}

TEST_CASE("engine: what an operator switches off during a rotation is nothing to wait for") {
  Bench bench = running(gate(), {{"SECRET", "1"}, {"SLACK", "1"}, {"TOKEN", "1"}});
  bench.values({{"SECRET", "1"}, {"SLACK", "2"}, {"TOKEN", "1"}});
  bench.command(Command::Verb::stop, "slakd");
  bench.exited("slakd", 0);
  bench.tick();
  CHECK_EQ(outcome(bench), Outcome::applied);
  CHECK_EQ(bench.view("slakd").state, State::off);
}

}  // namespace arizuko::tests
