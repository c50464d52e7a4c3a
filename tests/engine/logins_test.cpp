// What is done with the files of a login when the password changes.
#include "../../src/engine/logins.hpp"

#include <doctest/doctest.h>

namespace arizuko::tests {

namespace {

using engine::LoginFiles;
using engine::Logins;
using Do = engine::LoginFiles::Do;

constexpr engine::ServiceId teled = 3;

env::Snapshot password(const std::string& text) {
  env::Snapshot made;
  if (!text.empty()) made.values["PASSWORD"] = {text, "dir:/secrets"};
  return made;
}

// What follows when a run with `now` is started after one with `last`.
std::vector<Do> run(Logins& logins, const std::string& last, const std::string& now) {
  plan::CachedLogin login;
  login.key = "PASSWORD";
  std::vector<Do> list;
  for (const LoginFiles& each : logins.before_run(teled, {login}, password(last), password(now))) {
    CHECK_EQ(each.service, teled);
    CHECK_EQ(each.key, "PASSWORD");
    list.push_back(each.what);
  }
  return list;
}

std::vector<Do> forget(Logins& logins) {
  std::vector<Do> list;
  for (const LoginFiles& each : logins.forget(teled)) list.push_back(each.what);
  return list;
}

using List = std::vector<Do>;

}  // namespace

TEST_CASE("logins: the same password leaves them in place") {
  Logins logins;
  CHECK(run(logins, "one", "one").empty());
  CHECK(forget(logins).empty());
}

TEST_CASE("logins: a new password sets them aside, and they are forgotten once it has proved good") {
  Logins logins;
  CHECK_EQ(run(logins, "one", "two"), List{Do::set_aside});
  CHECK(run(logins, "two", "two").empty());
  CHECK_EQ(forget(logins), List{Do::forget});
  CHECK(forget(logins).empty());
}

TEST_CASE("logins: on the way back they are put back, and then there is nothing to forget") {
  Logins logins;
  run(logins, "one", "two");
  CHECK_EQ(run(logins, "two", "one"), List{Do::put_back});
  CHECK(forget(logins).empty());
}

TEST_CASE(
    "logins: what a third password finds was made with the second one and goes; the first stays aside") {
  Logins logins;
  run(logins, "one", "two");
  CHECK_EQ(run(logins, "two", "three"), List{Do::drop});
  CHECK_EQ(run(logins, "three", "one"), List{Do::put_back});
}

TEST_CASE("logins: a password that is taken away is another one, too") {
  Logins logins;
  CHECK_EQ(run(logins, "one", ""), List{Do::set_aside});
  CHECK_EQ(run(logins, "", "one"), List{Do::put_back});
}

}  // namespace arizuko::tests
