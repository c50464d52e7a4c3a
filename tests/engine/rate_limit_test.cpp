// How often rotations may restart one service.
#include "../../src/engine/rate_limit.hpp"

#include <doctest/doctest.h>

#include "arizuko/engine/rotation.hpp"

namespace arizuko::tests {

namespace {

using engine::Instant;
using engine::RateLimit;
using std::chrono::minutes;

constexpr plan::ServiceId gated = 0;
constexpr plan::ServiceId teled = 1;
constexpr Instant start{std::chrono::hours(1)};

// One restart a minute, from `from` on.
void restart_often(RateLimit& limit, plan::ServiceId service, Instant from, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) limit.restarted(service, from + minutes(i));
}

}  // namespace

TEST_CASE("rate limit: the next generation waits once a service was restarted as often as may be") {
  RateLimit limit;
  restart_often(limit, gated, start, engine::most_rotations - 1);
  CHECK_FALSE(limit.wait_of({gated}, start + minutes(30)).has_value());
  limit.restarted(gated, start + minutes(30));
  const auto wait = limit.wait_of({gated}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->service, gated);
  CHECK_EQ(wait->restarts, engine::most_rotations);
  CHECK_EQ(wait->until, start + engine::rotation_window);
}

TEST_CASE("rate limit: a generation that restarts only others does not wait") {
  RateLimit limit;
  restart_often(limit, gated, start, engine::most_rotations);
  CHECK_FALSE(limit.wait_of({teled}, start + minutes(30)).has_value());
  CHECK_FALSE(limit.wait_of({}, start + minutes(30)).has_value());
}

TEST_CASE("rate limit: restarts count no longer than the window") {
  RateLimit limit;
  restart_often(limit, gated, start, engine::most_rotations);
  const Instant until = start + engine::rotation_window;
  CHECK(limit.wait_of({gated}, until - engine::Nanoseconds(1)).has_value());
  CHECK_FALSE(limit.wait_of({gated}, until).has_value());
}

TEST_CASE("rate limit: of two services the one that has to wait longer is named") {
  RateLimit limit;
  restart_often(limit, gated, start, engine::most_rotations);
  restart_often(limit, teled, start + minutes(5), engine::most_rotations);
  const auto wait = limit.wait_of({gated, teled}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->service, teled);
  CHECK_EQ(wait->until, start + minutes(5) + engine::rotation_window);
}

TEST_CASE("rate limit: what `reload` does beyond the limit counts, so that the wait grows") {
  RateLimit limit;
  restart_often(limit, gated, start, engine::most_rotations + 2);
  const auto wait = limit.wait_of({gated}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->until, start + minutes(2) + engine::rotation_window);
}

}  // namespace arizuko::tests
