#include <doctest/doctest.h>

#include "host/conditions/judgement.hpp"

using namespace arizuko::host;
using namespace std::chrono_literals;
using Kind = Judgement::News::Kind;

namespace {

constexpr Judgement::Time start{1h};
const LookResult yes{Verdict::yes, {}};
const LookResult no{Verdict::no, "connection refused"};
const LookResult unsure{Verdict::cannot_tell, "no descriptor left"};

}  // namespace

TEST_CASE("judgement: the first look is news, whatever it says, and the same again is none") {
  Judgement judgement(Purpose::readiness, 3, start);
  CHECK(judgement.take(no, start).detail == "connection refused");
  CHECK(judgement.take(no, start + 10s).kind == Kind::none);
  CHECK(judgement.take(yes, start + 11s).kind == Kind::report);
  CHECK(judgement.holds());
  CHECK(judgement.take(yes, start + 12s).kind == Kind::none);
}

TEST_CASE("judgement: what held ceases to hold when so many looks in a row have failed") {
  Judgement judgement(Purpose::liveness, 3, start);
  judgement.take(yes, start);
  judgement.take(no, start + 1s);
  judgement.take(no, start + 2s);
  CHECK(judgement.take(yes, start + 3s).kind == Kind::none);  // not in a row
  judgement.take(no, start + 4s);
  judgement.take(unsure, start + 5s);  // nor so
  judgement.take(no, start + 6s);
  judgement.take(no, start + 7s);
  CHECK(judgement.holds());
  CHECK(judgement.take(no, start + 8s).kind == Kind::report);
  CHECK_FALSE(judgement.holds());
}

TEST_CASE("judgement: another reason is told at most once a second") {
  Judgement judgement(Purpose::readiness, 1, start);
  judgement.take(no, start);
  CHECK(judgement.take({Verdict::no, "status 503"}, start + 999ms).kind == Kind::none);
  CHECK(judgement.take({Verdict::no, "status 503"}, start + 1s).detail == "status 503");
}

TEST_CASE("judgement: a look that cannot tell is a no only of what must be seen to hold") {
  Judgement readiness(Purpose::readiness, 2, start);
  CHECK(readiness.take(unsure, start).kind == Kind::report);
  CHECK_FALSE(readiness.holds());
  readiness.take(yes, start);
  CHECK(readiness.take(unsure, start).kind == Kind::none);
  CHECK(readiness.take(unsure, start).kind == Kind::doubt);
  CHECK(readiness.take(unsure, start).kind == Kind::none);  // said once
  CHECK(readiness.holds());

  Judgement liveness(Purpose::liveness, 2, start);
  CHECK(liveness.take(unsure, start).kind == Kind::none);
  CHECK(liveness.take(unsure, start).detail == "cannot tell: no descriptor left");
}

TEST_CASE("judgement: it is looked at often at first, then less, and at its own pace once it holds") {
  Judgement judgement(Purpose::readiness, 3, start);
  CHECK(judgement.pause(5s, start) == 3ms);
  CHECK(judgement.pause(5s, start + 1600ms) == 100ms);
  CHECK(judgement.pause(5s, start + 1h) == 1s);
  judgement.take(yes, start + 1h);
  CHECK(judgement.pause(5s, start + 1h) == 5s);
  CHECK(judgement.pause(1ms, start + 1h) == 3ms);
  Judgement doubtful(Purpose::liveness, 3, start);
  doubtful.take(unsure, start);
  CHECK(doubtful.pause(5s, start) == 5s);
}
