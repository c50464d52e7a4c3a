// Keys whose values an operator has to accept (T16).
#include "harness.hpp"

namespace arizuko::tests {

namespace {

PlanBuilder guarded() {
  PlanBuilder plan;
  plan.service("gated").take = {"AUTH_SECRET"};
  plan.service("timed");
  plan.plan.env.guarded = {"AUTH_SECRET"};
  return plan;
}

EnvironmentChanged auth(const std::string& value, std::vector<std::string> unlike = {}) {
  auto made = std::make_shared<env::Snapshot>();
  if (!value.empty()) made->values["AUTH_SECRET"] = {value, "dir:/secrets"};
  made->values["HOME"] = {"/", "environment"};
  return {.snapshot = made, .unlike_last_run = std::move(unlike), .switched = {}};
}

}  // namespace

TEST_CASE(
    "engine: a guarded value is remembered when a service starts with it, and only when it is another") {
  Bench bench(guarded());
  bench.offer(auth("first"));
  CHECK(bench.log().contains("  remember AUTH_SECRET=first\n  spawn gated/1"));
  bench.up("gated");
  bench.exited("gated", 1);
  bench.tick();
  CHECK_FALSE(bench.log().contains("remember"));
}

TEST_CASE("engine: an accepted value is read again and taken as a rotation of its own") {
  Bench bench(guarded());
  bench.offer(auth("first"));
  bench.up("gated");
  bench.up("timed");
  bench.offer(auth("second"));
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::refused);
  CHECK_EQ(bench.view().values.held_keys.at(0).how, "changed");
  bench.log();
  bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
  CHECK(bench.log().contains("read-sources"));
  EnvironmentChanged again = auth("second");
  again.asked = true;
  bench.offer(again);
  CHECK_EQ(bench.view("gated").state, State::stopping);
  bench.exited("gated", 0);
  CHECK(bench.log().contains("remember AUTH_SECRET=second"));
  CHECK(bench.view().values.held_keys.empty());
  SUBCASE("it holds for that value only") {
    bench.up("gated");
    bench.offer(auth("third"));
    CHECK_EQ(bench.view("gated").state, State::ready);
    CHECK_EQ(bench.view().values.held_keys.size(), 1);
  }
  SUBCASE("and a way back leads to the old value, which is remembered again") {
    bench.spawned("gated");
    bench.exited("gated", 1);
    CHECK(bench.log().contains("remember AUTH_SECRET=first"));
    CHECK_EQ(bench.view().values.generation, 1);
  }
}

TEST_CASE("engine: what another value than the accepted one is stays held back") {
  Bench bench(guarded());
  bench.offer(auth("first"));
  bench.up("gated");
  bench.offer(auth("second"));
  bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
  EnvironmentChanged other = auth("third");
  other.asked = true;
  bench.offer(other);
  CHECK_EQ(bench.view("gated").state, State::ready);
  CHECK_EQ(bench.view().values.held_keys.size(), 1);
}

TEST_CASE("engine: at boot, what sees a value unlike the last run's does not start before it is accepted") {
  Bench bench(guarded());
  bench.offer(auth("other", {"AUTH_SECRET"}));
  CHECK_EQ(bench.states(), "gated blocked, timed starting");
  CHECK_EQ(bench.why("gated"),
           "gated is blocked: AUTH_SECRET was changed since the last run, and nobody has accepted it.");
  CHECK_EQ(bench.view().values.held_keys.at(0).blocks, true);
  CHECK_FALSE(bench.log().contains("remember"));
  SUBCASE("accepted") {
    bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
    CHECK_EQ(bench.view("gated").state, State::starting);
    CHECK(bench.log().contains("remember AUTH_SECRET=other"));
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("the old value is put back") {
    bench.offer(auth("first"));
    CHECK_EQ(bench.view("gated").state, State::starting);
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("a third value is not what was accepted") {
    bench.offer(auth("third", {"AUTH_SECRET"}));
    CHECK_EQ(bench.view("gated").state, State::blocked);
  }
}

TEST_CASE("engine: at boot, a guarded value that is gone blocks as well") {
  Bench bench(guarded());
  bench.offer(auth("", {"AUTH_SECRET"}));
  CHECK_EQ(bench.view("gated").state, State::blocked);
  CHECK_EQ(bench.view().values.held_keys.at(0).how, "removed");
}

TEST_CASE("engine: accepting what is not held back says so and does nothing") {
  Bench bench(guarded());
  bench.offer(auth("first"));
  bench.log();
  bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
  CHECK(bench.log().contains(
      "AUTH_SECRET was to be accepted by the operator (uid 1000), but is not held back"));
}

}  // namespace arizuko::tests
