// Whether store/messages.db is a database at all.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("database: none yet, and one of SQLite's, are no finding") {
  const World world;
  CHECK(heads(check_database(world.context())) == Heads{});
  world.write("data/store/messages.db", std::string("SQLite format 3\0", 16) + "the rest is not looked at");
  CHECK(heads(check_database(world.context())) == Heads{});
}

TEST_CASE("database: one that is none is an error, an empty file a warning") {
  const World world;
  for (const char* text : {"SQLite format", "SQLite format 2, and so on"}) {
    world.write("data/store/messages.db", text);
    const Finding found = only(check_database(world.context()));
    CHECK(found.severity == Severity::error);
    CHECK(found.where.file == world.root + "/data/store/messages.db");
    CHECK(found.what == "it is no SQLite database");
  }
  world.write("data/store/messages.db", "");
  CHECK(heads(check_database(world.context())) == Heads{"warning database"});
}

TEST_CASE("database: a FIFO or a directory in its place is none, and holds nobody up") {
  const World world;
  const std::string path = world.root + "/data/store/messages.db";
  ::alarm(10);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(heads(check_database(world.context())) == Heads{"error database"});
  ::alarm(0);
  world.remove("data/store/messages.db");
  std::filesystem::create_directory(path);
  CHECK(heads(check_database(world.context())) == Heads{"error database"});
}
