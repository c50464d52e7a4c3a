// Which values of an offer are in force, asked without an engine. In the engine: held_test.cpp.
#include "../../src/engine/held_values.hpp"

#include <doctest/doctest.h>

namespace arizuko::tests {

namespace {

using namespace engine;  // NOLINT: a test about nothing else
using Strings = std::set<std::string>;

constexpr const char* secrets = "dir:/secrets";
constexpr const char* dotenv = "dotenv:/data/.env";
constexpr Instant now{std::chrono::hours(1)};

constexpr ServiceId gated = 0;
constexpr ServiceId slakd = 1;  // needs SLACK, bound to gated

plan::Plan adapters() {
  plan::Plan plan;
  plan.services.resize(2);
  plan.services[gated].name = "gated";
  plan.services[gated].take = {"AUTH_SECRET", "CHANNEL_SECRET"};
  plan.services[slakd].name = "slakd";
  plan.services[slakd].need = {"SLACK"};
  plan.services[slakd].after = plan.services[slakd].bound_to = {gated};
  plan.env.sources = {{plan::Source::Kind::dotenv, "/data/.env"},
                      {plan::Source::Kind::directory, "/secrets"}};
  plan.env.guarded = {"AUTH_SECRET"};
  return plan;
}

// What the sieve knows, to be changed by a test before it is asked.
struct Scene {
  plan::Plan plan = adapters();
  env::Snapshot in_force{.generation = 1, .values = {}, .unusable = {}};
  HeldValues held;
  FailedValues failed;
  GuardedKeys guarded;
  std::vector<ServiceId> running = {gated, slakd};

  Scene() {
    set(in_force, "AUTH_SECRET", "auth");
    set(in_force, "CHANNEL_SECRET", "channel");
    set(in_force, "SLACK", "slack");
  }
  static void set(env::Snapshot& snapshot, const std::string& key, const std::string& value,
                  const std::string& source = secrets) {
    snapshot.values[key] = {value, source};
  }
  // The values in force, as the next generation.
  env::Snapshot next() const {
    env::Snapshot fresh = in_force;
    fresh.generation = 2;
    return fresh;
  }
  enum class By { change, operator_ };
  Sifted sift(const env::Snapshot& offer, By by = By::change) const {
    EnvironmentChanged event{.snapshot = std::make_shared<const env::Snapshot>(offer),
                             .asked = by == By::operator_,
                             .again = false,
                             .unlike_last_run = {},
                             .switched = {}};
    return engine::sift(event, {.plan = plan,
                                .in_force = in_force,
                                .held = held,
                                .failed = failed,
                                .guarded = guarded,
                                .running = running,
                                .now = now});
  }
};

// The only value that is held back.
const HeldValue& only(const Sifted& sifted, const std::string& key) {
  REQUIRE_EQ(sifted.held.size(), 1);
  REQUIRE(sifted.held.contains(key));
  return sifted.held.at(key);
}

std::string taken(const Sifted& sifted, const std::string& key) {
  return text_of(*sifted.taken, key).value_or("(not set)");
}

}  // namespace

TEST_CASE("held values: an offer of which nothing is held back is taken as it is") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "SLACK", "another");
  Scene::set(offer, "NEW", "one");
  const Sifted sifted = scene.sift(offer);
  CHECK(sifted.held.empty());
  CHECK_EQ(taken(sifted, "SLACK"), "another");
  CHECK_EQ(taken(sifted, "NEW"), "one");
}

TEST_CASE(
    "held values: a value that failed is held with the generation that brought it, and the rest is taken") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "SLACK", "bad");
  Scene::set(offer, "CHANNEL_SECRET", "new");
  scene.failed.add("SLACK", offer, "slakd did not bear it", now - std::chrono::minutes(1));
  offer.generation = 7;
  const Sifted sifted = scene.sift(offer);
  const HeldValue& value = only(sifted, "SLACK");
  CHECK_EQ(value.why, HeldWhy::failed);
  CHECK_EQ(value.reason, "slakd did not bear it");
  CHECK_EQ(value.generation, 2);
  CHECK_EQ(value.since, now - std::chrono::minutes(1));
  CHECK_EQ(taken(sifted, "SLACK"), "slack");
  CHECK_EQ(taken(sifted, "CHANNEL_SECRET"), "new");
  CHECK_EQ(sifted.taken->generation, 7);

  Scene::set(offer, "SLACK", "mended");
  CHECK(scene.sift(offer).held.empty());
}

TEST_CASE("held values: a key gone from a source that gives something else is removed") {
  Scene scene;
  env::Snapshot offer = scene.next();
  offer.values.erase("CHANNEL_SECRET");
  const Sifted sifted = scene.sift(offer);
  CHECK(sifted.held.empty());
  CHECK_EQ(taken(sifted, "CHANNEL_SECRET"), "(not set)");
}

TEST_CASE("held values: a source that gives nothing any more loses nothing, unless an operator asks") {
  Scene scene;
  scene.running = {};
  const env::Snapshot offer{.generation = 2, .values = {}, .unusable = {}};
  const Sifted sifted = scene.sift(offer);
  CHECK_EQ(sifted.held.size(), 3);
  for (const auto& [key, value] : sifted.held) {
    CHECK_EQ(value.why, HeldWhy::emptied);
    CHECK_FALSE(value.wanted.has_value());
  }
  CHECK_EQ(taken(sifted, "CHANNEL_SECRET"), "channel");
  CHECK(scene.sift(offer, Scene::By::operator_).held.empty());
}

TEST_CASE("held values: what is gone from the process environment is gone") {
  Scene scene;
  Scene::set(scene.in_force, "EDITOR", "vi", "environment");
  env::Snapshot offer = scene.next();
  offer.values.erase("EDITOR");
  CHECK(scene.sift(offer).held.empty());
}

TEST_CASE(
    "held values: a weaker source does not take over until its value is accepted, a stronger one does") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "CHANNEL_SECRET", "made up", dotenv);
  CHECK_EQ(only(scene.sift(offer), "CHANNEL_SECRET").why, HeldWhy::weaker);
  CHECK_EQ(taken(scene.sift(offer), "CHANNEL_SECRET"), "channel");
  SUBCASE("an operator who asks for all has not accepted it") {
    CHECK_EQ(scene.sift(offer, Scene::By::operator_).held.size(), 1);
  }
  SUBCASE("accepted") {
    scene.guarded.accept("CHANNEL_SECRET", "made up");
    CHECK_EQ(taken(scene.sift(offer), "CHANNEL_SECRET"), "made up");
  }
  SUBCASE("the other way round") {
    Scene::set(scene.in_force, "CHANNEL_SECRET", "made up", dotenv);
    Scene::set(offer, "CHANNEL_SECRET", "channel", secrets);
    CHECK(scene.sift(offer).held.empty());
  }
}

TEST_CASE("held values: one that no variable can hold is held back where somebody takes it") {
  Scene scene;
  env::Snapshot offer = scene.next();
  offer.values.erase("SLACK");
  offer.unusable["SLACK"] = "its value holds a NUL byte";
  offer.unusable["NOBODYS"] = "its value holds a NUL byte";
  const Sifted sifted = scene.sift(offer);
  CHECK_EQ(only(sifted, "SLACK").why, HeldWhy::unusable);
  CHECK_EQ(only(sifted, "SLACK").reason, "its value holds a NUL byte");
  CHECK_EQ(taken(sifted, "SLACK"), "slack");
  CHECK_FALSE(sifted.taken->unusable.contains("SLACK"));
  CHECK(sifted.taken->unusable.contains("NOBODYS"));
}

TEST_CASE("held values: one that was unusable from the start is not held back: it blocks who takes it") {
  Scene scene;
  scene.running = {gated};
  scene.in_force.values.erase("SLACK");
  scene.in_force.unusable["SLACK"] = "it could not be read";
  CHECK(scene.sift(scene.next()).held.empty());
}

TEST_CASE("held values: what runs does not lose a value that it needs; what does not run does") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "SLACK", "");
  const Sifted sifted = scene.sift(offer);
  CHECK_EQ(only(sifted, "SLACK").why, HeldWhy::needed);
  CHECK_EQ(only(sifted, "SLACK").reason, "slakd runs, and needs it");
  CHECK_EQ(taken(sifted, "SLACK"), "slack");
  scene.running = {gated};
  CHECK(scene.sift(offer).held.empty());
}

TEST_CASE("held values: holding one back may switch a service on that needs another, which is held as well") {
  Scene scene;
  scene.plan.services[gated].need = {"MODE"};
  scene.plan.services[slakd].enabled_when = {{{"MODE", "full"}}};
  Scene::set(scene.in_force, "MODE", "full");
  env::Snapshot offer = scene.next();
  offer.values.erase("MODE");
  offer.values.erase("SLACK");
  const Sifted sifted = scene.sift(offer);
  CHECK_EQ(sifted.held.size(), 2);
  CHECK_EQ(taken(sifted, "MODE"), "full");
  CHECK_EQ(taken(sifted, "SLACK"), "slack");
}

TEST_CASE(
    "held values: a guarded key keeps its value once a service was started with it, until it is accepted") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "AUTH_SECRET", "other");
  CHECK(scene.sift(offer).held.empty());
  scene.guarded.before_run(scene.plan, scene.plan.services[gated], scene.in_force);
  CHECK_EQ(only(scene.sift(offer), "AUTH_SECRET").why, HeldWhy::guarded);
  CHECK_EQ(only(scene.sift(offer), "AUTH_SECRET").wanted, "other");
  CHECK_EQ(taken(scene.sift(offer), "AUTH_SECRET"), "auth");
  scene.guarded.accept("AUTH_SECRET", "other");
  CHECK_EQ(taken(scene.sift(offer), "AUTH_SECRET"), "other");
}

TEST_CASE("held values: the same value held for the same reason is held since then; another one anew") {
  Scene scene;
  env::Snapshot offer = scene.next();
  Scene::set(offer, "CHANNEL_SECRET", "made up", dotenv);
  const Instant before = now - std::chrono::hours(1);
  scene.held["CHANNEL_SECRET"] = {HeldWhy::weaker, dotenv, "", "made up", 2, before};
  offer.generation = 3;
  CHECK_EQ(only(scene.sift(offer), "CHANNEL_SECRET").since, before);
  CHECK_EQ(only(scene.sift(offer), "CHANNEL_SECRET").generation, 2);
  Scene::set(offer, "CHANNEL_SECRET", "made up again", dotenv);
  CHECK_EQ(only(scene.sift(offer), "CHANNEL_SECRET").since, now);
  CHECK_EQ(only(scene.sift(offer), "CHANNEL_SECRET").generation, 3);
}

TEST_CASE("held values: a failure is put down to what changed of the culprit's own") {
  const plan::Plan plan = adapters();
  const Dependencies dependencies(plan);
  const env::Difference changed{.added = {"UNRELATED"}, .changed = {"SLACK"}, .removed = {"CHANNEL_SECRET"}};
  CHECK_EQ(blamed_keys(plan, dependencies, slakd, changed), Strings{"SLACK"});
  CHECK_EQ(blamed_keys(plan, dependencies, gated, changed), Strings{"CHANNEL_SECRET"});
}

TEST_CASE("held values: else to what changed of what it comes after, else to all that changed") {
  const plan::Plan plan = adapters();
  const Dependencies dependencies(plan);
  CHECK_EQ(blamed_keys(plan, dependencies, slakd,
                       {.added = {"UNRELATED"}, .changed = {"CHANNEL_SECRET"}, .removed = {}}),
           Strings{"CHANNEL_SECRET"});
  CHECK_EQ(blamed_keys(plan, dependencies, slakd, {.added = {"ONE"}, .changed = {}, .removed = {"TWO"}}),
           Strings{"ONE", "TWO"});
}

TEST_CASE("held values: a running service that lacks a value is named, one that is not enabled is not") {
  plan::Plan plan = adapters();
  const env::Snapshot empty;
  const std::vector<Lack> lacks = lacking(plan, {gated, slakd}, empty);
  REQUIRE_EQ(lacks.size(), 1);
  CHECK_EQ(lacks.front().service, slakd);
  CHECK_EQ(lacks.front().keys, std::vector<std::string>{"SLACK"});
  plan.services[slakd].enabled = false;
  CHECK(lacking(plan, {gated, slakd}, empty).empty());
}

}  // namespace arizuko::tests
