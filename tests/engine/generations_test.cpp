// Generations that are offered, wait, are refused, held back in part and accepted, over services that are
// made up. In the engine: rotation_test.cpp, held_test.cpp.
#include "../../src/engine/generations.hpp"

#include "made_up_services.hpp"

namespace arizuko::tests {

namespace {

PlanBuilder one() {
  PlanBuilder builder;
  builder.service("teled").take = {"TOKEN", "CHANNEL_SECRET"};
  builder.plan.env.sources = {{plan::Source::Kind::dotenv, "/data/.env"},
                              {plan::Source::Kind::directory, "/secrets"}};
  return builder;
}

// Values of the stronger source; one of the weaker where its name says so.
env::SnapshotPtr snapshot(env::Generation number, const std::string& token, const std::string& channel,
                          const std::string& source = "dir:/secrets") {
  auto made = std::make_shared<env::Snapshot>();
  made->generation = number;
  made->values["TOKEN"] = {token, "dir:/secrets"};
  made->values["CHANNEL_SECRET"] = {channel, source};
  return made;
}

// One service, ready with generation 1.
struct Trial {
  Trial() : services(one(), first) {
    generations.offer(offered(first), services);
    services.notes();
  }
  static EnvironmentChanged offered(env::SnapshotPtr values) {
    return {.snapshot = std::move(values), .unlike_last_run = {}, .switched = {}};
  }
  void offer(env::SnapshotPtr values) {
    generations.offer(offered(std::move(values)), services);
    settle();
  }
  void settle() {
    while (generations.advance(services)) {
    }
  }
  void come_back() {
    services.came_back("teled", generations.snapshot());
    settle();
    services.wait(observed_for);
    settle();
  }
  View view() {
    View view;
    generations.show(view, services.plan(), services.now());
    return view;
  }

  env::SnapshotPtr first = snapshot(1, "one", "channel");
  MadeUpServices services;
  Generations generations;
};

}  // namespace

TEST_CASE("generations: the first one is in force at once; the same values again are no news") {
  Trial trial;
  CHECK_EQ(trial.generations.snapshot(), trial.first);
  CHECK_FALSE(trial.generations.offer(Trial::offered(snapshot(2, "one", "channel")), trial.services));
  EnvironmentChanged asked = Trial::offered(snapshot(2, "one", "channel"));
  asked.asked = true;
  CHECK(trial.generations.offer(asked, trial.services));
}

TEST_CASE("generations: a new one is taken, and applied when all serve with it") {
  Trial trial;
  trial.offer(snapshot(2, "two", "channel"));
  CHECK_EQ(trial.services.notes(), "generation-taken");
  CHECK_EQ(trial.services.orders(), "restart teled");
  CHECK(trial.generations.is_rotating());
  trial.come_back();
  CHECK_EQ(trial.services.notes(), "generation-applied");
  CHECK_FALSE(trial.generations.is_rotating());
  CHECK_EQ(trial.view().values.rotations[static_cast<std::size_t>(Outcome::applied)], 1);
}

TEST_CASE("generations: of what waits for a rotation only the newest is taken") {
  Trial trial;
  trial.offer(snapshot(2, "two", "channel"));
  trial.services.notes();
  trial.offer(snapshot(3, "three", "channel"));
  CHECK_EQ(trial.view().values.waiting_values->generation, 3);
  trial.offer(snapshot(4, "four", "channel"));
  CHECK_EQ(trial.services.notes(), "generation-superseded");
  trial.come_back();
  CHECK_EQ(trial.services.notes(), "generation-applied, generation-taken");
  CHECK_EQ(trial.generations.snapshot()->generation, 4);
}

TEST_CASE(
    "generations: a service that fails with one takes all back, and what it saw is held back and retried") {
  Trial trial;
  trial.offer(snapshot(2, "bad", "channel"));
  trial.services.starts("teled", trial.generations.snapshot());
  trial.services.notes();
  CHECK(trial.generations.takes_blame_for(trial.services.id("teled"), trial.services));
  CHECK_EQ(trial.generations.snapshot(), trial.first);
  trial.services.came_back("teled", trial.first);
  trial.settle();
  CHECK_EQ(trial.services.notes(), "generation-going-back, value-held-back, generation-rolled-back");
  const View view = trial.view();
  REQUIRE_EQ(view.values.held_keys.size(), 1);
  CHECK_EQ(view.values.held_keys.front().key, "TOKEN");
  CHECK_EQ(view.values.held_keys.front().why, HeldWhy::failed);
  CHECK_EQ(trial.generations.deadline(), trial.services.now() + retried_after);
  trial.services.wait(retried_after);
  trial.settle();
  CHECK_EQ(trial.services.notes(), "value-retried");
  CHECK_FALSE(trial.generations.deadline().has_value());
}

TEST_CASE("generations: one of which all is held back is refused, and taken when that is accepted") {
  Trial trial;
  const env::SnapshotPtr weaker = snapshot(2, "one", "made up", "dotenv:/data/.env");
  trial.offer(weaker);
  CHECK_EQ(trial.services.notes(), "value-held-back, generation-refused");
  CHECK_EQ(trial.generations.snapshot(), trial.first);
  trial.generations.accept({"CHANNEL_SECRET", "operator"}, trial.services);
  CHECK_EQ(trial.services.notes(), "value-accepted");
  EnvironmentChanged again = Trial::offered(weaker);
  again.again = true;
  trial.generations.offer(again, trial.services);
  trial.settle();
  CHECK_EQ(trial.services.notes(), "generation-taken");
}

TEST_CASE("generations: accepting or retrying what is not held back says so") {
  Trial trial;
  trial.generations.accept({"TOKEN", "operator"}, trial.services);
  trial.generations.retry({std::nullopt, "operator"}, trial.services);
  CHECK_EQ(trial.services.notes(), "value-not-held, value-not-held");
}

TEST_CASE("generations: when the run ends, what is under way and what waits is interrupted, each once") {
  Trial trial;
  trial.offer(snapshot(2, "two", "channel"));
  trial.offer(snapshot(3, "three", "channel"));
  trial.services.notes();
  trial.generations.interrupt("SIGTERM", trial.services);
  CHECK_EQ(trial.services.notes(), "generation-interrupted, generation-interrupted");
  CHECK_EQ(trial.view().values.rotations[static_cast<std::size_t>(Outcome::interrupted)], 2);
  CHECK_FALSE(trial.view().values.waiting_values.has_value());
}

TEST_CASE(
    "generations: a service that was restarted too often makes the next one wait, but not what is asked "
    "for") {
  Trial trial;
  for (env::Generation number = 2; number < 2 + most_rotations; ++number) {
    trial.offer(snapshot(number, std::to_string(number), "channel"));
    trial.come_back();
  }
  trial.services.notes();
  const env::SnapshotPtr next = snapshot(20, "next", "channel");
  trial.offer(next);
  CHECK_EQ(trial.services.notes(), "generation-waits");
  CHECK_EQ(trial.generations.deadline(), trial.view().values.waiting_values->until);
  SUBCASE("for as long as the limit says") {
    trial.services.wait(*trial.generations.deadline() - trial.services.now());
    trial.settle();
    CHECK_EQ(trial.services.notes(), "generation-taken");
  }
  SUBCASE("asked for") {
    EnvironmentChanged asked = Trial::offered(next);
    asked.asked = true;
    trial.generations.offer(asked, trial.services);
    trial.settle();
    CHECK_EQ(trial.services.notes(), "generation-superseded, generation-taken");
  }
}

}  // namespace arizuko::tests
