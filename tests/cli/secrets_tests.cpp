// `arizuko-init secrets` for people.
#include <doctest/doctest.h>

#include "cli/render.hpp"

namespace arizuko::cli {

namespace {

constexpr std::int64_t now = 1'795'000'130'000'000'000;  // 2026-11-18T11:08:50Z

constexpr const char* body =
    R"({"generation":3,"since":"2026-11-18T11:08:45.000Z","rotation":{"generation":3,"before":2,"outcome":null,)"
    R"("phase":"restarting","cause":null,"added":["TZ"],"changed":["SLACK_BOT_TOKEN"],"removed":[],)"
    R"("services":["slakd","teled"],"remaining":["teled"],"began":"2026-11-18T11:08:45.000Z","seconds_to_ready":null},)"
    R"("waiting":{"generation":5,"cause":"the rotation of generation 3 is under way","until":null},)"
    R"("held":[{"key":"AUTH_SECRET","how":"changed","blocks":false,"reason":"gated may delete","generation":3,)"
    R"("remedy":"Accept it with `arizuko-init secrets accept AUTH_SECRET`","since":"2026-11-18T11:08:45.000Z",)"
    R"("retry_at":null},{"key":"SLACK","how":"changed","blocks":false,"reason":"slakd did not bear it",)"
    R"("generation":2,"remedy":"It is tried once more in 1 min","since":"2026-11-18T11:08:45.000Z",)"
    R"("retry_at":"2026-11-18T11:09:45.000Z"}],)"
    R"("keys":[{"name":"AUTH_SECRET","source":"dir:/s","since":"2026-11-18T11:06:45.000Z","guarded":true,)"
    R"("fingerprint":"1a2b3c4d","taken_by":["gated"]},{"name":"LOG","source":null,"since":null,"guarded":false,)"
    R"("fingerprint":null,"taken_by":["gated","timed"]}],)"
    R"("services":[{"name":"teled","generation":1,"since":"2026-11-18T11:06:45.000Z","old_values":true}]})";

}  // namespace

TEST_CASE("cli: secrets says what is in force, what is under way, and what waits for somebody") {
  const auto text = secrets_text(body, now, Colour::off);
  REQUIRE(text);
  CHECK_EQ(*text,
           "generation 3, in force for 5.0 s\n"
           "last rotation: generation 3 (TZ added; SLACK_BOT_TOKEN changed), 5.0 s ago: restarting\n"
           "  still to restart: teled\n"
           "waiting: generation 5: the rotation of generation 3 is under way\n"
           "held back: AUTH_SECRET (changed by generation 3, for 5.0 s): gated may delete. Accept it with "
           "`arizuko-init secrets accept AUTH_SECRET`\n"
           "held back: SLACK (changed by generation 2, for 5.0 s): slakd did not bear it. It is tried once "
           "more in 55 s\n"
           "\n"
           "KEY          SOURCE   AGE        TAKEN BY\n"
           "AUTH_SECRET  dir:/s   2 min 5 s  gated  guarded, fingerprint 1a2b3c4d\n"
           "LOG          not set             gated timed\n"
           "\n"
           "still with older values: teled (generation 1)\n");
}

TEST_CASE("cli: an answer that is no JSON is said to be none") {
  CHECK_FALSE(secrets_text("<html>", now, Colour::off));
  CHECK(secrets_text("{}", now, Colour::off));
}

}  // namespace arizuko::cli
