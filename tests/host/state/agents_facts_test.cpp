// A file that any daemon may write is shown, and never believed.
#include "arizuko/host/state/agents_facts.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/stat.h>
#include "host/host_test_tools.hpp"

using namespace arizuko::host;

namespace {

std::string group(std::string_view name, int failures, std::string_view reason = "no") {
  return fmt::format(R"({{"group":"{}","failures":{},"since":5,"last":6,"reason":"{}"}})", name, failures,
                     reason);
}

AgentsFacts facts_of(const std::string& groups, std::string_view backend = "kubernetes") {
  return parse_agents_facts(
      fmt::format(R"({{"backend":"{}","backend_since":4,"groups":[{}]}})", backend, groups));
}

}  // namespace

TEST_CASE("agents: one or two failures are not said, three in a row are") {
  const auto facts = facts_of(group("a", 2) + "," + group("b", 3));
  REQUIRE(facts.failing.size() == 1);
  CHECK(facts.failing.front().group == "b");
  CHECK(agents_sentence(facts, 65'005) ==
        "Agents of group b have failed 3 times in a row for 1 min 5 s: no.");
  CHECK(agents_sentence(facts_of(group("a", 2)), 9).empty());
}

TEST_CASE("agents: switched off is said whatever else failed") {
  const auto facts = facts_of(group("b", 30), "none");
  CHECK(facts.off());
  CHECK(agents_sentence(facts, 2004).starts_with("Agents are off for 2.0 s: CONTAINER_BACKEND is none"));
}

TEST_CASE("agents: a file of nonsense is as if there were none, and its text is printable and short") {
  for (const auto* text : {"", "[", "[]", "7", R"({"groups":7})", R"({"groups":[7,{"failures":"9"}]})",
                           R"({"groups":[{"group":"","failures":9}]})", R"({"backend":"podman\n"})"}) {
    const auto facts = parse_agents_facts(text);
    CHECK(facts.failing.empty());
    CHECK(facts.backend.empty());
  }
  CHECK(parse_agents_facts(std::string(1'000'000, '[')).failing.empty());
  CHECK(facts_of(group("a\\u001b[2J\\u009b", 3, std::string(5000, 'x'))).failing.front().group == "a [2J  ");
  CHECK(facts_of(group("a", 3, std::string(5000, 'x'))).failing.front().reason.size() == 300);
  std::string many = group("g", 3);
  for (int each = 0; each < 500; ++each) many += "," + group(fmt::format("g{}", each), 3);
  CHECK(facts_of(many).failing.size() == 64);
  CHECK(facts_of(R"({"group":"a","failures":3,"since":-9e99})").failing.front().since_unix_ms == 0);
  CHECK(agents_sentence(facts_of(group("a", 3)), INT64_MAX).contains("more than a year"));
}

TEST_CASE("agents: a FIFO, a link or a directory in the ledger's place is not read and holds nobody") {
  const std::filesystem::path data =
      std::filesystem::temp_directory_path() / fmt::format("facts-{}", ::getpid());
  const auto path = data / ".arizuko-init" / "agents.json";
  std::filesystem::create_directories(path.parent_path());
  CHECK_FALSE(read_agents_facts(data));
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK_FALSE(read_agents_facts(data));
  std::filesystem::remove(path);
  std::ofstream(data / "elsewhere") << R"({"backend":"none"})";
  std::filesystem::create_symlink(data / "elsewhere", path);
  CHECK_FALSE(read_agents_facts(data));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK_FALSE(read_agents_facts(data));
  std::filesystem::remove(path);
  std::filesystem::copy_file(data / "elsewhere", path);
  const auto facts = read_agents_facts(data);
  CHECK((facts && facts->off()));
  std::filesystem::remove_all(data);
}
