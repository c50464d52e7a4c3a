#include <doctest/doctest.h>

#include <limits>

#include "arizuko/base/times.hpp"

using namespace arizuko::base;

namespace {
constexpr std::int64_t second = 1'000'000'000;
}

TEST_CASE("times: an instant is read back to the millisecond") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(1'795'378'001 * second + 123'999'999) == "2026-11-22T20:06:41.123Z");
  CHECK(parse_rfc3339("2026-11-22T20:06:41.123Z") == 1'795'378'001 * second + 123'000'000);
  CHECK(parse_rfc3339("2024-02-29T23:59:59.999Z") == 1'709'251'199 * second + 999'000'000);
}

TEST_CASE("times: before 1970 the fraction still counts forwards") {
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(split(-1).seconds == -1);
  CHECK(split(-1).nanoseconds == 999'999'999);
  CHECK(date_and_time(-86'400) == "1969-12-31T00:00:00");
}

TEST_CASE("times: every instant that 64 bits hold has a text") {
  CHECK(rfc3339(std::numeric_limits<std::int64_t>::max()) == "2262-04-11T23:47:16.854Z");
  CHECK(rfc3339(std::numeric_limits<std::int64_t>::min()) == "1677-09-21T00:12:43.145Z");
}

TEST_CASE("times: what rfc3339 does not write is not read") {
  for (const char* text : {"", "2026-11-22", "2026-11-22 20:06:41.123Z", "2026-13-22T20:06:41.123Z",
                           "2026-02-30T20:06:41.123Z", "2026-11-22T24:06:41.123Z", "2026-11-22T20:60:41.123Z",
                           "2026-11-22T20:06:41.12xZ", "2026-11-22T20:06:41.1234", "-026-11-22T20:06:41.123Z",
                           "9999-11-22T20:06:41.123Z", "2026-11-22T20:06:41.123Z "}) {
    CHECK_FALSE(parse_rfc3339(text));
  }
}
