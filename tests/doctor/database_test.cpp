// Whether the databases that the plan speaks of are databases at all, and of this line. The two stock plans
// as data: what their seeds make.
#include <doctest/doctest.h>

#include "arizuko/host/sources/plan_files.hpp"
#include "doctor/known.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

const std::string sqlite = std::string("SQLite format 3\0", 16) + "the rest is not looked at";

constexpr std::string_view todays_seed = R"(
[task.seed]
creates = "${pod.data_dir}/store/routd/routd.db"
verify = ["${pod.data_dir}/store/routd/routd.db", "${pod.data_dir}/store/authd/auth.db", "${pod.data_dir}/groups/main"]
[service.proxyd]
env.ONBOD_DB_PATH = "${pod.data_dir}/store/onbod/onbod.db"
env.ELSEWHERE_DB_PATH = "/var/lib/other.db"
)";

}  // namespace

TEST_CASE("database: which there are is what the plan's tasks make and its services are told") {
  World world;
  const std::string store = world.root + "/data/store/";
  CHECK(databases(world.context()) == std::vector<std::string>{store + "messages.db"});
  world.load(todays_seed);
  CHECK(databases(world.context()) == std::vector<std::string>{store + "authd/auth.db",
                                                               store + "onbod/onbod.db",
                                                               store + "routd/routd.db"});
  CHECK(seeded_databases(world.context()) == std::vector<std::string>{store + "routd/routd.db"});
}

TEST_CASE("database: of the stock plans, one for all daemons in the gated line and one each in today's") {
  const auto of = [](std::string_view file) {
    const auto files = host::read_plan_files(fmt::format("{}/etc/{}", ARIZUKO_SOURCE_DIR, file));
    REQUIRE(files);
    const auto plan = plan::load(*files, {}, [](std::string_view) { return std::nullopt; });
    REQUIRE_MESSAGE(plan, (plan ? "" : plan::to_text(plan.error().front())));
    const env::Snapshot snapshot;
    std::vector<std::string> names;
    for (const std::string& path : databases({*plan, snapshot, this_user(), {}}))
      names.push_back(path.substr(plan->pod.data_dir.size()));
    return names;
  };
  CHECK(of("arizuko.toml") == std::vector<std::string>{"/store/messages.db"});
  CHECK(of("arizuko-routd.toml") == std::vector<std::string>{"/store/authd/auth.db", "/store/onbod/onbod.db",
                                                             "/store/routd/routd.db",
                                                             "/store/runed/runed.db"});
}

TEST_CASE("database: none yet, and one of SQLite's, are no finding") {
  const World world;
  CHECK(heads(check_database(world.context())) == Heads{});
  world.write("data/store/messages.db", sqlite);
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

TEST_CASE("database: of several that the seed makes only the one that ends it must not be empty") {
  World world;
  world.load(todays_seed);
  world.write("data/store/routd/routd.db", sqlite);
  world.write("data/store/authd/auth.db", "");
  world.write("data/store/onbod/onbod.db", "");
  CHECK(heads(check_database(world.context())) == Heads{});
  world.write("data/store/onbod/onbod.db", "not empty, and no database");
  CHECK(only(check_database(world.context())).where.file == world.root + "/data/store/onbod/onbod.db");
}

TEST_CASE("database: one that the seed would have made is missed once the seed is done") {
  World world;
  world.load(todays_seed);
  CHECK(heads(check_database(world.context())) == Heads{});
  world.write("data/store/routd/routd.db", sqlite);
  const Finding found = only(check_database(world.context()));
  CHECK(found.where.file == world.root + "/data/store/authd/auth.db");
  CHECK(found.what == "the database is missing, and seed is done");
}

TEST_CASE("database: the data of another line are an error, for the seed would begin anew beside them") {
  World world;
  world.load(todays_seed);
  const std::string old = world.write("data/store/messages.db", sqlite);
  world.write("data/store/notes.txt", sqlite);
  world.write("data/store/teled/empty.db", "");
  const Finding found = only(check_database(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.where.file == old);
  CHECK(has(found.what, "store/routd/routd.db is not there"));
  // Migrated: the old one may lie about.
  world.write("data/store/routd/routd.db", sqlite);
  world.write("data/store/authd/auth.db", "");
  CHECK(heads(check_database(world.context())) == Heads{});
  // And the way back.
  world.load();
  world.remove("data/store/messages.db");
  world.write("data/store/authd/auth.db", sqlite);
  const Finding back = only(check_database(world.context()));
  CHECK(back.where.file == world.root + "/data/store/authd/auth.db");
  CHECK(has(back.what, "this database and 1 more are none of the plan's, and "));
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
