// How often rotations may restart one service.
#include "../../src/engine/storm_brake.hpp"

#include <doctest/doctest.h>

#include "arizuko/engine/rotation.hpp"

namespace arizuko::tests {

namespace {

using engine::Instant;
using engine::StormBrake;
using std::chrono::minutes;

constexpr plan::ServiceId gated = 0;
constexpr plan::ServiceId teled = 1;
constexpr Instant start{std::chrono::hours(1)};

// One restart a minute, from `from` on.
void restart_often(StormBrake& brake, plan::ServiceId service, Instant from, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) brake.restarted(service, from + minutes(i));
}

}  // namespace

TEST_CASE("storm brake: the next generation waits once a service was restarted as often as may be") {
  StormBrake brake;
  restart_often(brake, gated, start, engine::most_rotations - 1);
  CHECK_FALSE(brake.wait_of({gated}, start + minutes(30)).has_value());
  brake.restarted(gated, start + minutes(30));
  const auto wait = brake.wait_of({gated}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->service, gated);
  CHECK_EQ(wait->restarts, engine::most_rotations);
  CHECK_EQ(wait->until, start + engine::rotation_window);
}

TEST_CASE("storm brake: a generation that restarts only others does not wait") {
  StormBrake brake;
  restart_often(brake, gated, start, engine::most_rotations);
  CHECK_FALSE(brake.wait_of({teled}, start + minutes(30)).has_value());
  CHECK_FALSE(brake.wait_of({}, start + minutes(30)).has_value());
}

TEST_CASE("storm brake: restarts count no longer than the window") {
  StormBrake brake;
  restart_often(brake, gated, start, engine::most_rotations);
  const Instant until = start + engine::rotation_window;
  CHECK(brake.wait_of({gated}, until - engine::Nanoseconds(1)).has_value());
  CHECK_FALSE(brake.wait_of({gated}, until).has_value());
}

TEST_CASE("storm brake: of two services the one that has to wait longer is named") {
  StormBrake brake;
  restart_often(brake, gated, start, engine::most_rotations);
  restart_often(brake, teled, start + minutes(5), engine::most_rotations);
  const auto wait = brake.wait_of({gated, teled}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->service, teled);
  CHECK_EQ(wait->until, start + minutes(5) + engine::rotation_window);
}

TEST_CASE("storm brake: what `reload` does beyond the limit counts, so that the wait grows") {
  StormBrake brake;
  restart_often(brake, gated, start, engine::most_rotations + 2);
  const auto wait = brake.wait_of({gated}, start + minutes(30));
  REQUIRE(wait.has_value());
  CHECK_EQ(wait->until, start + minutes(2) + engine::rotation_window);
}

}  // namespace arizuko::tests
