// One rotation, step by step, over services that are made up. In the engine: rotation_test.cpp,
// turns_test.cpp.
#include "../../src/engine/rotation.hpp"

#include "made_up_services.hpp"

namespace arizuko::tests {

namespace {

using std::chrono::seconds;

env::SnapshotPtr generation(env::Generation number) {
  auto made = std::make_shared<env::Snapshot>();
  made->generation = number;
  made->values["TOKEN"] = {"value " + std::to_string(number), "dir:/secrets"};
  return made;
}

// A gate, one that is bound to it, and one that stands alone; stops within 12 s, ready within 60 s.
PlanBuilder three() {
  PlanBuilder builder;
  builder.service("gated");
  builder.service("teled", {"gated"});
  builder.bind("teled", {"gated"});
  builder.service("timed");
  for (plan::Service& each : builder.plan.services) each.ready_within = seconds(60);
  return builder;
}

struct Trial {
  explicit Trial(const PlanBuilder& builder = three()) : services(builder, before) {}

  engine::Rotation begin() {
    RotationView record;
    record.generation = 2;
    record.keys.changed = {"TOKEN"};
    record.began = services.now();
    engine::Rotation rotation(record, after, {before, {}, {}}, services);
    rotation.begin(services);
    return rotation;
  }
  // The turn of the gate, and of what is bound to it.
  void restart_gate(engine::Rotation& rotation) {
    REQUIRE_EQ(step(rotation), "turn of gated");
    services.came_back("gated", after);
    services.came_back("teled", after);
  }
  void restart_all(engine::Rotation& rotation) {
    REQUIRE_EQ(step(rotation), "turn of timed");
    services.came_back("timed", after);
    restart_gate(rotation);
  }
  std::string step(engine::Rotation& rotation) {
    const engine::Rotation::Step step = rotation.advance(services);
    if (const auto* moved = std::get_if<engine::Rotation::Moved>(&step))
      return moved->restarted ? "turn of " + services.plan().services[*moved->restarted].name : "moved";
    if (const auto* failed = std::get_if<engine::Rotation::Failed>(&step))
      return "failed: " + services.plan().services[failed->culprit].name + ", " +
             std::string(to_text(failed->failure.why));
    if (const auto* ended = std::get_if<engine::Rotation::Ended>(&step))
      return std::string(to_text(ended->outcome));
    return "at rest";
  }

  env::SnapshotPtr before = generation(1);
  env::SnapshotPtr after = generation(2);
  MadeUpServices services;
};

using Blame = engine::Rotation::Blame;

}  // namespace

TEST_CASE("rotation: services take their turns one after the other, and all that are back are observed") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  CHECK_EQ(rotation.record().services, std::vector<std::string>{"gated", "timed", "teled"});
  CHECK_EQ(trial.services.orders(), "");
  CHECK_EQ(trial.step(rotation), "turn of timed");
  CHECK_EQ(trial.services.orders(), "restart timed");
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.starts("timed", trial.after);
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.came_back("timed", trial.after);
  CHECK_EQ(trial.step(rotation), "turn of gated");
  CHECK(rotation.record().remaining.empty());  // teled goes with it
  trial.services.came_back("gated", trial.after);
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.came_back("teled", trial.after);
  CHECK_EQ(trial.step(rotation), "moved");
  CHECK_EQ(rotation.record().phase, RotationPhase::observing);
  CHECK_EQ(rotation.record().all_ready, trial.services.now());
  CHECK_EQ(rotation.deadline(), trial.services.now() + observed_for);
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.wait(observed_for);
  CHECK_EQ(trial.step(rotation), "applied");
}

TEST_CASE("rotation: what sees no change is left alone, and nothing is observed when nobody restarts") {
  Trial trial;
  for (const char* name : {"gated", "timed", "teled"}) trial.services.is_indifferent(name);
  engine::Rotation rotation = trial.begin();
  CHECK_EQ(trial.step(rotation), "applied");
  CHECK_EQ(trial.services.orders(), "");
}

TEST_CASE("rotation: what does not serve follows at once, and decides nothing") {
  Trial trial;
  trial.services.is("timed", State::backoff);
  engine::Rotation rotation = trial.begin();
  CHECK_EQ(trial.services.orders(), "follow timed");
  CHECK_EQ(rotation.blame_for(trial.services.id("timed"), trial.services), Blame::service);
  CHECK_EQ(trial.step(rotation), "turn of gated");
}

TEST_CASE("rotation: what is no part of the instance with the new values leaves in its turn") {
  Trial trial;
  trial.services.is_no_part("timed");
  engine::Rotation rotation = trial.begin();
  CHECK_EQ(trial.step(rotation), "turn of timed");
  CHECK_EQ(trial.services.orders(), "leave timed");
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.is("timed", State::off);
  trial.services.is_no_part("timed");
  CHECK_EQ(trial.step(rotation), "turn of gated");
}

TEST_CASE("rotation: one that is not ready again in time is gone back for") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.step(rotation);
  REQUIRE(rotation.deadline().has_value());
  trial.services.wait(*rotation.deadline() - trial.services.now() - Nanoseconds(1));
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.wait(Nanoseconds(1));
  CHECK_EQ(trial.step(rotation), "failed: timed, not-ready-in-turn");
}

TEST_CASE("rotation: newer values do not wait long for what the pod can do without") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.step(rotation);
  trial.services.starts("timed", trial.after);
  rotation.newer_values_wait(trial.services);
  CHECK_EQ(rotation.deadline(), trial.services.now() + patience_while_others_wait);
  trial.services.wait(patience_while_others_wait);
  CHECK_EQ(trial.step(rotation), "failed: timed, not-ready-in-turn");
}

TEST_CASE("rotation: newer values wait for an essential service as long as it may take") {
  PlanBuilder builder = three();
  builder["timed"].essential = true;
  builder["gated"].essential = true;
  Trial trial(builder);
  engine::Rotation rotation = trial.begin();
  trial.step(rotation);
  const std::optional<Instant> full = rotation.deadline();
  rotation.newer_values_wait(trial.services);
  CHECK_EQ(rotation.deadline(), full);
}

TEST_CASE("rotation: newer values, or a new plan, end the time of observation, for good or ill") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.restart_all(rotation);
  CHECK_EQ(trial.step(rotation), "moved");
  SUBCASE("newer values") {
    rotation.newer_values_wait(trial.services);
    CHECK_EQ(trial.step(rotation), "applied");
  }
  SUBCASE("a new plan") {
    rotation.plan_waits();
    CHECK_EQ(trial.step(rotation), "applied");
  }
  SUBCASE("while one that has failed is on its way down") {
    trial.services.is_failing("timed");
    CHECK_EQ(trial.step(rotation), "at rest");
    rotation.newer_values_wait(trial.services);
    CHECK_EQ(trial.step(rotation), "failed: timed, ended");
  }
}

TEST_CASE(
    "rotation: a failure of a run with the new values is theirs, until the time of observation is over") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  const ServiceId timed = trial.services.id("timed");
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::service);  // its turn has not come
  trial.step(rotation);
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::service);  // a run with the old ones
  trial.services.came_back("timed", trial.after);
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::values);
  trial.restart_gate(rotation);
  trial.step(rotation);
  REQUIRE_EQ(rotation.record().phase, RotationPhase::observing);
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::values);
  trial.services.wait(observed_for);
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::service);
}

TEST_CASE("rotation: what an operator switched off is neither blamed nor waited for") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.step(rotation);
  trial.services.is_switched_off("timed");
  CHECK_EQ(rotation.blame_for(trial.services.id("timed"), trial.services), Blame::service);
  CHECK_EQ(trial.step(rotation), "turn of gated");
}

TEST_CASE("rotation: one that was started for a reason of its own before its turn has had it") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  const ServiceId timed = trial.services.id("timed");
  CHECK(rotation.is_pending(timed));
  trial.services.starts("timed", trial.after);
  rotation.started(timed, trial.services);
  CHECK_FALSE(rotation.is_pending(timed));
  CHECK_EQ(rotation.record().remaining, std::vector<std::string>{"gated", "teled"});
  CHECK_EQ(trial.step(rotation), "at rest");
  CHECK_EQ(rotation.blame_for(timed, trial.services), Blame::values);
}

TEST_CASE(
    "rotation: on the way back only what was restarted returns, and all have to be ready at one moment") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.restart_all(rotation);
  trial.services.orders();
  rotation.go_back("timed: it exited with code 1", {"TOKEN"}, trial.services);
  rotation.bring_back({.why = Why::rolled_back}, trial.services);
  CHECK_EQ(trial.services.orders(), "follow gated, follow timed, follow teled");
  CHECK_EQ(rotation.blamed(), std::set<std::string>{"TOKEN"});
  trial.services.came_back("timed", trial.before);
  trial.services.came_back("gated", trial.before);
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.is("timed", State::starting);
  trial.services.came_back("teled", trial.before);
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.came_back("timed", trial.before);
  CHECK_EQ(trial.step(rotation), "rolled back");
}

TEST_CASE("rotation: a way back on which one fails again, or is too late, is one in part") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.restart_all(rotation);
  rotation.go_back("timed: it exited with code 1", {"TOKEN"}, trial.services);
  rotation.bring_back({.why = Why::rolled_back}, trial.services);
  SUBCASE("fails again: that is its own fault") {
    CHECK_EQ(rotation.blame_for(trial.services.id("timed"), trial.services), Blame::service);
    CHECK_EQ(trial.step(rotation), "rolled back in part");
  }
  SUBCASE("too late") {
    trial.services.is("timed", State::starting);
    trial.services.wait(*rotation.deadline() - trial.services.now());
    CHECK_EQ(trial.step(rotation), "rolled back in part");
  }
}

TEST_CASE("rotation: a turn that is judged late begins anew, the time of observation does not") {
  Trial trial;
  engine::Rotation rotation = trial.begin();
  trial.step(rotation);
  trial.services.wait(*rotation.deadline() - trial.services.now() + seconds(30));
  rotation.forgive_lateness(trial.services.now());
  CHECK_EQ(rotation.deadline(), trial.services.now() + seconds(30));
  CHECK_EQ(trial.step(rotation), "at rest");
  trial.services.came_back("timed", trial.after);
  trial.restart_gate(rotation);
  trial.step(rotation);
  REQUIRE_EQ(rotation.record().phase, RotationPhase::observing);
  trial.services.wait(observed_for + seconds(30));
  rotation.forgive_lateness(trial.services.now());
  CHECK_EQ(trial.step(rotation), "applied");
}

}  // namespace arizuko::tests
