// A leftover proxyd_routes (T10), and the reader of SQLite's files held against SQLite itself.
#include <doctest/doctest.h>

#include <memory>
#include <random>

#include <sqlite3.h>

#include "doctor/sqlite_file.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

class Sqlite {
 public:
  explicit Sqlite(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &database_) == SQLITE_OK); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;
  ~Sqlite() { sqlite3_close(database_); }
  void run(const std::string& statement) const {
    char* message = nullptr;
    const int result = sqlite3_exec(database_, statement.c_str(), nullptr, nullptr, &message);
    INFO(statement.substr(0, 200), ": ", message == nullptr ? "" : message);
    REQUIRE(result == SQLITE_OK);
  }

 private:
  sqlite3* database_ = nullptr;
};

constexpr const char* create =
    "CREATE TABLE proxyd_routes (path TEXT PRIMARY KEY, backend TEXT NOT NULL,"
    " auth TEXT NOT NULL CHECK (auth IN ('public', 'user')), strip_prefix INTEGER DEFAULT 0, UNIQUE (path, "
    "auth))";

std::string insert(std::string_view path, std::string_view backend) {
  return fmt::format("INSERT INTO proxyd_routes (path, backend, auth) VALUES ('{}', '{}', 'user')", path,
                     backend);
}

std::string database_of(const World& world) { return world.root + "/data/store/messages.db"; }

}  // namespace

TEST_CASE("routes: without a database, without the table, with an empty one, nothing is found") {
  const World world;
  CHECK(heads(check_routes_table(world.context())) == Heads{});
  const Sqlite database(database_of(world));
  database.run("CREATE TABLE messages (id INTEGER PRIMARY KEY)");
  CHECK(heads(check_routes_table(world.context())) == Heads{});
  database.run(create);
  CHECK(heads(check_routes_table(world.context())) == Heads{});
}

TEST_CASE("routes: the plan's own routes are no finding") {
  const World world;
  const Sqlite database(database_of(world));
  database.run(create);
  database.run(insert("/dash/", "http://127.0.0.1:9082"));
  database.run(insert("/chat/", "http://127.0.0.1:9081"));
  CHECK(heads(check_routes_table(world.context())) == Heads{});
}

TEST_CASE(
    "routes: a backend that compose left behind is an error, a lacking route a warning, another a note "
    "(T10)") {
  const World world;
  const Sqlite database(database_of(world));
  database.run(create);
  database.run(insert("/dash/", "http://dashd:8080"));
  database.run(insert("/dav/", "http://davd:8080"));
  const Findings found = check_routes_table(world.context());
  CHECK(heads(found) == Heads{"error routes-table", "note routes-table", "warning routes-table"});
  CHECK(found[0].what == "/dash/ goes to http://dashd:8080, the plan says http://127.0.0.1:9082");
  CHECK(has(found[0].fix, "DELETE FROM proxyd_routes"));
  CHECK(found[2].what == "/chat/ of the plan is not there: it answers 404");
}

TEST_CASE("routes: a FIFO in the place of the WAL or of the database does not hold doctor up") {
  const World world;
  {
    const Sqlite database(database_of(world));
    database.run(create);
    database.run(insert("/dash/", "http://127.0.0.1:9082"));
  }
  ::alarm(10);
  REQUIRE(::mkfifo((database_of(world) + "-wal").c_str(), 0600) == 0);
  CHECK(read_sqlite_table(database_of(world), "proxyd_routes").has_value());
  world.remove("data/store/messages.db");
  REQUIRE(::mkfifo(database_of(world).c_str(), 0600) == 0);
  const auto table = read_sqlite_table(database_of(world), "proxyd_routes");
  REQUIRE_FALSE(table);
  CHECK(table.error().phrase == "it cannot be read: is a FIFO, not a regular file");
  ::alarm(0);
}

TEST_CASE("routes: what is committed and still in the WAL counts, what is not committed does not") {
  const World world;
  const Sqlite database(database_of(world));
  database.run(
      "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 1; PRAGMA cache_spill = "
      "1");
  database.run(create);
  database.run(insert("/dash/", "http://dashd:8080"));
  const auto backends = [&] {
    const auto table = read_sqlite_table(database_of(world), "proxyd_routes");
    REQUIRE(table);
    std::vector<std::string> all;
    for (std::size_t i = 0; i < table->rows.size(); ++i) all.push_back(table->text(i, "backend"));
    return all;
  };
  CHECK(backends() == std::vector<std::string>{"http://dashd:8080"});
  database.run("BEGIN; UPDATE proxyd_routes SET backend = 'never committed'");
  for (int i = 0; i < 200; ++i)
    database.run(insert(fmt::format("/{}/{}", i, std::string(500, 'x')), "http://spilled:1"));
  CHECK(backends() == std::vector<std::string>{"http://dashd:8080"});
  database.run("ROLLBACK; UPDATE proxyd_routes SET backend = 'http://127.0.0.1:9082'");
  CHECK(backends() == std::vector<std::string>{"http://127.0.0.1:9082"});
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  CHECK(backends() == std::vector<std::string>{"http://127.0.0.1:9082"});
}

TEST_CASE("sqlite: thousands of rows over many pages, long ones over several, all page sizes") {
  for (const int page_size : {512, 1024, 4096, 65536}) {
    CAPTURE(page_size);
    const World world;
    const Sqlite database(database_of(world));
    database.run(fmt::format("PRAGMA page_size = {}", page_size));
    database.run(
        "CREATE TABLE filler (a); CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, number INTEGER)");
    database.run("BEGIN");
    constexpr int rows = 3000;
    for (int i = 0; i < rows; ++i) {
      const std::size_t length = i % 500 == 0 ? 100'000 : static_cast<std::size_t>(i % 90);
      database.run(
          fmt::format("INSERT INTO t VALUES ({}, '{}{}', {})", i, i, std::string(length, 'y'), i * -7919));
    }
    database.run("COMMIT");
    const auto table = read_sqlite_table(database_of(world), "t");
    REQUIRE(table);
    CHECK(table->columns == std::vector<std::string>{"id", "name", "number"});
    REQUIRE(table->rows.size() == rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t length = i % 500 == 0 ? 100'000 : i % 90;
      REQUIRE(table->text(i, "name") == std::to_string(i) + std::string(length, 'y'));
      REQUIRE(table->rows[i][2].number == static_cast<std::int64_t>(i) * -7919);
    }
  }
}

TEST_CASE("sqlite: columns are read from the statement, constraints are none") {
  CHECK(columns_of(create) == std::vector<std::string>{"path", "backend", "auth", "strip_prefix"});
  CHECK(columns_of("CREATE TABLE \"t\" (\n  \"a b\" TEXT,[c] INT , `d`,e)") ==
        std::vector<std::string>{"a b", "c", "d", "e"});
  CHECK(columns_of("").empty());
}

TEST_CASE("sqlite: what is no database, or a damaged one, is an error and never a crash") {
  const World world;
  CHECK(read_sqlite_table(world.write("data/text", "hello"), "t").error().phrase ==
        "it is no SQLite database");
  CHECK(has(read_sqlite_table(world.root + "/nowhere", "t").error().phrase, "it cannot be read"));
  {
    const Sqlite database(database_of(world));
    database.run(create);
    for (int i = 0; i < 300; ++i) database.run(insert(fmt::format("/{}/", i), "http://127.0.0.1:9081"));
  }
  std::ifstream in(database_of(world), std::ios::binary);
  const std::string sound((std::istreambuf_iterator<char>(in)), {});
  REQUIRE(read_sqlite_table(database_of(world), "proxyd_routes")->rows.size() == 300);
  std::mt19937 random(20261122);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = sound;
    for (int i = 0; i < 8; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 10 == 0) damaged.resize(random() % damaged.size());
    refused += read_sqlite_table(world.write("data/damaged", damaged), "proxyd_routes") ? 0 : 1;
  }
  CHECK(refused > 100);
}

TEST_CASE("routes: a database that is none is an error, an empty file a warning, an unreadable one a note") {
  const World world;
  world.write("data/store/messages.db", "no database");
  Finding found = only(check_routes_table(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.what == "it is no SQLite database");
  CHECK(has(found.fix, "backup"));
  CHECK_FALSE(has(found.fix, "DELETE"));
  world.write("data/store/messages.db", "");
  found = only(check_routes_table(world.context()));
  CHECK(found.severity == Severity::warning);
  CHECK(has(found.why, "T13"));
  world.remove("data/store/messages.db");
  {
    const Sqlite database(database_of(world));
    database.run(create);
    database.run("BEGIN");
    for (int i = 0; i < 10'001; ++i) database.run(insert(fmt::format("/{}/", i), "http://127.0.0.1:9081"));
    database.run("COMMIT");
  }
  CHECK(heads(check_routes_table(world.context())) == Heads{"note routes-table"});
}

TEST_CASE("routes: PROXYD_ROUTES_JSON that is none is an error") {
  World world;
  world.write("data/store/messages.db", "no database");
  world.load("[service.proxyd]\nenv.PROXYD_ROUTES_JSON = '{'\n");
  CHECK(heads(check_routes_table(world.context())) == Heads{"error routes-table"});
}
