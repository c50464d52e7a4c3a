// The fingerprints of guarded values, over several runs.
#include "arizuko/host/state/guarded_store.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "host/host_test_tools.hpp"

namespace arizuko::tests {

namespace {

using host::GuardedStore;
using host::StateDir;
using host::testing::Scratch;
using Names = std::vector<std::string>;

const Names guarded = {"AUTH_SECRET"};

env::Snapshot with(const std::string& value) {
  env::Snapshot snapshot;
  if (!value.empty()) snapshot.values["AUTH_SECRET"] = {value, "environment"};
  return snapshot;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("guarded store: what was never seen is free; a value is known again at the next start") {
  const Scratch dir;
  GuardedStore first(StateDir::at(dir.path()), "");
  CHECK(first.unlike_last_run(guarded, with("one")).empty());
  CHECK(first.digits("AUTH_SECRET").empty());
  REQUIRE(first.remember("AUTH_SECRET", with("one")));
  GuardedStore next(StateDir::at(dir.path()), "");
  CHECK(next.trouble().empty());
  CHECK(next.unlike_last_run(guarded, with("one")).empty());
  CHECK_EQ(next.unlike_last_run(guarded, with("two")), guarded);
  CHECK_EQ(next.unlike_last_run(guarded, with("")), guarded);
  CHECK_EQ(next.digits("AUTH_SECRET").size(), 8);
  CHECK_EQ(next.digits("AUTH_SECRET"), first.digits("AUTH_SECRET"));
}

TEST_CASE("guarded store: what could not be written is known, and is written again when that is possible") {
  const Scratch dir;
  GuardedStore store(StateDir::at(dir.path()), "");
  CHECK(store.knows_nothing());
  std::filesystem::create_directories(dir / "guarded.json/in-the-way");
  CHECK_FALSE(store.remember("AUTH_SECRET", with("one")).has_value());
  CHECK_FALSE(store.knows_nothing());
  CHECK_FALSE(store.write_again().has_value());
  std::filesystem::remove_all(dir / "guarded.json");
  CHECK(store.write_again().has_value());
  GuardedStore next(StateDir::at(dir.path()), "");
  CHECK_FALSE(next.knows_nothing());
  CHECK_EQ(next.unlike_last_run(guarded, with("two")), guarded);
}

TEST_CASE("guarded store: a file that was deleted under a running instance is put back at its end") {
  const Scratch dir;
  GuardedStore store(StateDir::at(dir.path()), "");
  REQUIRE(store.remember("AUTH_SECRET", with("one")));
  std::filesystem::remove(dir / "guarded.json");
  store.put_back();
  GuardedStore next(StateDir::at(dir.path()), "");
  CHECK_EQ(next.unlike_last_run(guarded, with("two")), guarded);
}

TEST_CASE("guarded store: the value is not in the file, and equal values look different in two instances") {
  const Scratch one;
  const Scratch two;
  GuardedStore first(StateDir::at(one.path()), "");
  GuardedStore second(StateDir::at(two.path()), "");
  REQUIRE(first.remember("AUTH_SECRET", with("a-value-to-look-for")));
  REQUIRE(second.remember("AUTH_SECRET", with("a-value-to-look-for")));
  const std::string file = one.path() + "/guarded.json";
  CHECK_EQ(text_of(file).find("look-for"), std::string::npos);
  CHECK_NE(first.digits("AUTH_SECRET"), second.digits("AUTH_SECRET"));
  struct stat facts{};
  REQUIRE_EQ(::stat(file.c_str(), &facts), 0);
  CHECK_EQ(facts.st_mode & 0777, 0600);
}

TEST_CASE("guarded store: that a value was not set is remembered as well") {
  const Scratch dir;
  GuardedStore first(StateDir::at(dir.path()), "");
  REQUIRE(first.remember("AUTH_SECRET", with("")));
  GuardedStore next(StateDir::at(dir.path()), "");
  CHECK(next.unlike_last_run(guarded, with("")).empty());
  CHECK_EQ(next.unlike_last_run(guarded, with("new")), guarded);
}

TEST_CASE("guarded store: the variable accepts one change, and is armed again by a start without it") {
  const Scratch dir;
  {
    GuardedStore store(StateDir::at(dir.path()),
                       "AUTH_SECRET");  // set from the first start on: nothing to accept yet
    REQUIRE(store.remember("AUTH_SECRET", with("one")));
    CHECK(store.spent().empty());
  }
  {
    GuardedStore store(StateDir::at(dir.path()), "OTHER, AUTH_SECRET");
    CHECK(store.unlike_last_run(guarded, with("two")).empty());
    REQUIRE(store.remember("AUTH_SECRET", with("two")));
  }
  {
    GuardedStore store(StateDir::at(dir.path()), "AUTH_SECRET");
    CHECK_EQ(store.spent(), guarded);
    CHECK(store.unlike_last_run(guarded, with("two")).empty());
    CHECK_EQ(store.unlike_last_run(guarded, with("three")), guarded);
  }
  {
    GuardedStore store(StateDir::at(dir.path()), "");
    CHECK(store.spent().empty());
    REQUIRE(store.remember("AUTH_SECRET", with("two")));
  }
  GuardedStore store(StateDir::at(dir.path()), "AUTH_SECRET");
  CHECK(store.unlike_last_run(guarded, with("three")).empty());
}

TEST_CASE("guarded store: a damaged file makes every value unlike, and says so") {
  const Scratch dir;
  for (const char* text : {"", "{", "{\"keys\":{\"AUTH_SECRET\":{\"salt\":\"xx\",\"fingerprint\":\"\"}}}",
                           "[]", "{\"keys\":{\"AUTH_SECRET\":7}}"}) {
    std::ofstream(dir.path() + "/guarded.json", std::ios::trunc) << text;
    GuardedStore store(StateDir::at(dir.path()), "");
    CHECK_EQ(store.trouble(), dir.path() + "/guarded.json is damaged");
    CHECK_EQ(store.unlike_last_run(guarded, with("one")), guarded);
    REQUIRE(store.remember("AUTH_SECRET", with("one")));  // accepted: it is whole again
    CHECK(GuardedStore(StateDir::at(dir.path()), "").trouble().empty());
  }
}

TEST_CASE("guarded store: a directory that cannot be written is an error that names the file") {
  const Scratch dir;
  GuardedStore store(StateDir::at(dir.path() + "/missing"), "");
  const auto remembered = store.remember("AUTH_SECRET", with("one"));
  REQUIRE_FALSE(remembered);
  CHECK_NE(remembered.error().find("missing/guarded.json: No such file or directory"), std::string::npos);
}

}  // namespace arizuko::tests
