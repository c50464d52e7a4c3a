// How long a value that a service did not bear is held.
#include "../../src/engine/failed_values.hpp"

#include <doctest/doctest.h>

#include "arizuko/engine/rotation.hpp"

namespace arizuko::tests {

namespace {

using engine::FailedValues;
using engine::Instant;
using engine::retried_after;
using Names = std::vector<std::string>;

constexpr Instant now{std::chrono::hours(1)};

env::Snapshot token(const std::string& text, env::Generation generation = 2) {
  env::Snapshot made;
  made.generation = generation;
  if (!text.empty()) made.values["TOKEN"] = {text, "dir:/secrets"};
  return made;
}

FailedValues failed_once() {
  FailedValues values;
  values.add("TOKEN", token("bad"), "it failed", now);
  return values;
}

}  // namespace

TEST_CASE("failed values: the value that failed is held, and no other") {
  const FailedValues values = failed_once();
  REQUIRE_NE(values.holding("TOKEN", "bad"), nullptr);
  CHECK_EQ(values.holding("TOKEN", "bad")->generation, 2);
  CHECK_EQ(values.holding("TOKEN", "good"), nullptr);
  CHECK_EQ(values.holding("TOKEN", std::nullopt), nullptr);
  CHECK_EQ(values.holding("OTHER", "bad"), nullptr);
}

TEST_CASE("failed values: one that failed once is tried once more; after that it is held without a retry") {
  FailedValues values = failed_once();
  CHECK_EQ(values.due(), now + retried_after);
  CHECK(values.release_due(now + retried_after - engine::Nanoseconds(1)).empty());
  CHECK_EQ(values.release_due(now + retried_after), Names{"TOKEN"});
  CHECK_EQ(values.holding("TOKEN", "bad"), nullptr);
  CHECK_FALSE(values.due().has_value());
  values.add("TOKEN", token("bad", 3), "it failed again", now + retried_after);
  REQUIRE_NE(values.holding("TOKEN", "bad"), nullptr);
  CHECK_EQ(values.holding("TOKEN", "bad")->failures, 2);
  CHECK_EQ(values.holding("TOKEN", "bad")->generation, 2);
  CHECK_EQ(values.holding("TOKEN", "bad")->since, now);
  CHECK_FALSE(values.due().has_value());
}

TEST_CASE("failed values: another value that fails begins anew") {
  FailedValues values = failed_once();
  values.add("TOKEN", token("worse", 3), "it failed", now + retried_after);
  CHECK_EQ(values.holding("TOKEN", "bad"), nullptr);
  REQUIRE_NE(values.holding("TOKEN", "worse"), nullptr);
  CHECK_EQ(values.holding("TOKEN", "worse")->failures, 1);
  CHECK_EQ(values.due(), now + retried_after + retried_after);
}

TEST_CASE("failed values: what is offered with another value is forgotten, what is offered again is not") {
  FailedValues values = failed_once();
  values.offered(token("bad", 3));
  CHECK_NE(values.holding("TOKEN", "bad"), nullptr);
  values.offered(token("", 4));
  CHECK_EQ(values.holding("TOKEN", "bad"), nullptr);
}

TEST_CASE("failed values: what was borne after all is forgotten, what was not in force is not") {
  FailedValues values = failed_once();
  values.borne(token("good"));
  CHECK_NE(values.holding("TOKEN", "bad"), nullptr);
  values.borne(token("bad"));
  CHECK_EQ(values.holding("TOKEN", "bad"), nullptr);
}

TEST_CASE("failed values: an operator asks for one key, or for all") {
  FailedValues values = failed_once();
  values.add("OTHER", token("bad"), "it failed", now);  // that it was not set
  CHECK(values.release("UNKNOWN").empty());
  CHECK_EQ(values.release("TOKEN"), Names{"TOKEN"});
  CHECK_NE(values.holding("OTHER", std::nullopt), nullptr);
  CHECK_EQ(values.release(std::nullopt), Names{"OTHER", "TOKEN"});
  CHECK_EQ(values.holding("OTHER", std::nullopt), nullptr);
}

}  // namespace arizuko::tests
