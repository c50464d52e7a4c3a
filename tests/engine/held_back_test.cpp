// What is held back is told once, and what an operator says to it. In the engine: held_test.cpp.
#include "../../src/engine/held_back.hpp"

#include "made_up_services.hpp"

namespace arizuko::tests {

namespace {

using Keys = std::vector<std::string>;

constexpr const char* secrets = "dir:/secrets";
constexpr const char* dotenv = "dotenv:/data/.env";

PlanBuilder one() {
  PlanBuilder builder;
  builder.service("teled").take = {"TOKEN", "CHANNEL_SECRET"};
  builder.plan.env.sources = {{plan::Source::Kind::dotenv, "/data/.env"},
                              {plan::Source::Kind::directory, "/secrets"}};
  return builder;
}

env::SnapshotPtr snapshot(env::Generation number, const std::string& token,
                          const std::string& source = secrets) {
  auto made = std::make_shared<env::Snapshot>();
  made->generation = number;
  made->values["TOKEN"] = {token, source};
  made->values["OTHER"] = {"other", secrets};
  return made;
}

struct Trial {
  env::SnapshotPtr in_force = snapshot(1, "one");
  MadeUpServices services{one(), in_force};
  HeldBack held;

  std::string take(const env::SnapshotPtr& offer) {
    const EnvironmentChanged event{.snapshot = offer, .unlike_last_run = {}, .switched = {}};
    return *held.take(event, *in_force, {0}, services)->find("TOKEN");
  }
  HeldKeyView shown() const {
    const std::vector<HeldKeyView> all = held.view(services.plan(), {in_force, {}, {}}, services.now());
    REQUIRE_EQ(all.size(), 1);
    return all.front();
  }
};

}  // namespace

TEST_CASE("held back: what is held is told when it begins, when its value is another, and not again") {
  Trial trial;
  CHECK_EQ(trial.take(snapshot(2, "made up", dotenv)), "one");
  CHECK_EQ(trial.services.notes(), "value-held-back");
  CHECK_EQ(trial.take(snapshot(3, "made up", dotenv)), "one");
  CHECK_EQ(trial.services.notes(), "");
  CHECK_EQ(trial.shown().generation, 2);
  CHECK_EQ(trial.take(snapshot(4, "made up again", dotenv)), "one");
  CHECK_EQ(trial.services.notes(), "value-held-back");
}

TEST_CASE("held back: a value that is accepted is taken when it is offered again") {
  Trial trial;
  trial.take(snapshot(2, "made up", dotenv));
  CHECK_FALSE(trial.held.accept("OTHER"));
  CHECK(trial.held.accept("TOKEN"));
  CHECK_EQ(trial.take(snapshot(3, "made up", dotenv)), "made up");
  CHECK(trial.held.values().empty());
}

TEST_CASE("held back: what failed cannot be accepted, but retried; each failure of it is told") {
  Trial trial;
  const env::SnapshotPtr bad = snapshot(2, "bad");
  for (int failures = 1; failures <= 2; ++failures) {
    trial.held.blame({"TOKEN"}, "teled did not bear it", *bad, *trial.in_force, trial.services);
    CHECK_EQ(trial.services.notes(), "value-held-back");
    CHECK_EQ(trial.take(bad), "one");
    CHECK_EQ(trial.services.notes(), "");
    CHECK_FALSE(trial.held.accept("TOKEN"));
    CHECK_EQ(trial.held.retry("TOKEN"), Keys{"TOKEN"});
    CHECK_EQ(trial.take(bad), "bad");
  }
  CHECK(trial.held.retry("OTHER").empty());
}

TEST_CASE("held back: an operator who asks for the values takes what failed, too") {
  Trial trial;
  const env::SnapshotPtr bad = snapshot(2, "bad");
  trial.held.blame({"TOKEN"}, "teled did not bear it", *bad, *trial.in_force, trial.services);
  const EnvironmentChanged asked{.snapshot = bad, .asked = true, .unlike_last_run = {}, .switched = {}};
  CHECK_EQ(*trial.held.take(asked, *trial.in_force, {0}, trial.services)->find("TOKEN"), "bad");
}

TEST_CASE("held back: what keeps services from starting is shown beside what is held back") {
  Trial trial;
  const auto values = std::make_shared<env::Snapshot>(*trial.in_force);
  values->unusable["CHANNEL_SECRET"] = "its value holds a NUL byte";
  values->unusable["NOBODYS"] = "its value holds a NUL byte";
  const std::vector<HeldKeyView> all =
      trial.held.view(trial.services.plan(), {values, {}, {"AUTH_SECRET"}}, trial.services.now());
  REQUIRE_EQ(all.size(), 2);
  CHECK_EQ(all[0].key, "CHANNEL_SECRET");
  CHECK_EQ(all[0].why, HeldWhy::unusable);
  CHECK(all[0].blocks);
  CHECK_EQ(all[1].key, "AUTH_SECRET");
  CHECK_EQ(all[1].why, HeldWhy::guarded);
  CHECK_EQ(all[1].how, "removed");
}

}  // namespace arizuko::tests
