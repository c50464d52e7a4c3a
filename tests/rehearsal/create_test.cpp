// arizuko create: contract section 10.
#include "running.hpp"
#include "store.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <fstream>
#include <iterator>

using namespace running;
using rehearsal::Store;
using rehearsal::StoreUse;

namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

mode_t mode(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

}  // namespace

TEST_CASE("create: it writes the instance once, and every later run resets group main (T12)") {
  Directory directory;
  const auto instance = directory.path("arizuko_one");
  const Variables variables{{"ARIZUKO_DATA_DIR", directory.path()},
                            {"DATA_DIR", instance},
                            {"HOST_APP_DIR", "/opt/arizuko"},
                            {"CHANNEL_SECRET", "sesame"}};
  Process first(directory, {"arizuko", "create", "one"}, variables);
  REQUIRE(first.wait() == 0);
  CHECK(first.output() == "created instance one at " + instance + "\n");
  CHECK(mode(instance + "/.env") == 0600);
  CHECK(mode(instance + "/services") == 0755);
  const auto dotenv = content(instance + "/.env");
  CHECK(dotenv.contains("ASSISTANT_NAME=one\n"));
  CHECK(dotenv.contains("API_PORT=8080\n"));
  CHECK_FALSE(dotenv.contains("sesame"));
  CHECK(std::filesystem::exists(instance + "/groups/main/.claude"));
  {
    auto store = Store::open(instance + "/store/messages.db", StoreUse::Raw);
    REQUIRE(store);
    REQUIRE(store->run("UPDATE groups SET container_config='mine', product='mine'"));
    REQUIRE(store->run("DELETE FROM scheduled_tasks"));
  }
  Process second(directory, {"arizuko", "create", "one"}, variables);
  REQUIRE(second.wait() == 0);
  CHECK(second.output() == first.output());
  CHECK(content(instance + "/.env") == dotenv);
  auto store = Store::open(instance + "/store/messages.db", StoreUse::Raw);
  REQUIRE(store);
  CHECK(store->rows("SELECT container_config || product FROM groups")->front().front() == "{}");
  CHECK(store->rows("SELECT count(*) FROM scheduled_tasks")->front().front() == "5");
}

TEST_CASE(
    "create: without DATA_DIR the group's files go to the working directory, exit 0 all the same (T13)") {
  Directory directory;
  Process process(
      directory, {"arizuko", "create", "two"},
      {{"ARIZUKO_DATA_DIR", directory.path("root")}, {"HOST_APP_DIR", "/x"}, {"CHANNEL_SECRET", "s"}});
  CHECK(process.wait() == 0);
  CHECK(std::filesystem::exists(directory.path("groups/main/.claude")));
  CHECK_FALSE(std::filesystem::exists(directory.path("root/arizuko_two/groups")));
}

TEST_CASE("create: failures are a Failed line and 1, usage is on stdout and 1, a bad flag is 2") {
  Directory directory;
  const Variables variables{
      {"ARIZUKO_DATA_DIR", directory.path()}, {"HOST_APP_DIR", "/x"}, {"CHANNEL_SECRET", "s"}};
  Process bare(directory, {"arizuko", "create", "x"}, {});
  CHECK(bare.wait() == 1);
  CHECK(bare.errors().contains("Failed: load config: HOST_APP_DIR is not set"));
  Process usage(directory, {"arizuko", "create"}, variables);
  CHECK(usage.wait() == 1);
  CHECK(usage.output().contains("usage: "));
  Process flag(directory, {"arizuko", "create", "--bogus", "x"}, variables);
  CHECK(flag.wait() == 2);
  Process name(directory, {"arizuko", "create", "a b"}, variables);
  CHECK(name.wait() == 1);
  Process product(directory, {"arizuko", "create", "x", "--product", "none"}, variables);
  CHECK(product.wait() == 1);
  CHECK(product.errors().contains("unknown product"));
  write(directory.path("arizuko_file"), "not a directory");
  Process blocked(directory, {"arizuko", "create", "file"}, variables);
  CHECK(blocked.wait() == 1);
  CHECK(blocked.errors().contains("Failed: mkdir services"));
  write(directory.path("arizuko_bad/store/messages.db"), std::string(8192, 'x'));
  Process corrupt(directory, {"arizuko", "create", "bad"}, variables);
  CHECK(corrupt.wait() == 1);
  CHECK(corrupt.errors().contains("Failed: open db: file is not a database (26)"));
}
