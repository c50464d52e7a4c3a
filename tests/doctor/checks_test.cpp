// All checks of `doctor` together; each has its planted mistakes in a file by topic.
#include <doctest/doctest.h>

#include <set>

#include <unistd.h>

#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

/// What depends on where the tests are run, not on what is looked at.
bool of_this_machine(const Finding& finding) {
  return (finding.check == "file-system" && has(finding.what, "gone with the container")) ||
         finding.check == "free-space";
}

}  // namespace

TEST_CASE("doctor: nothing is found where nothing is wrong") {
  const World world;
  Findings found = run_all(world.context());
  std::erase_if(found, of_this_machine);
  for (const Finding& each : found) INFO(full(each));
  CHECK(heads(found) == Heads{});
}

TEST_CASE("doctor: it works before the first start, and says nothing about what is not there yet") {
  const World world;
  world.remove("data");
  Findings found = run_all(world.context());
  std::erase_if(found, of_this_machine);
  CHECK(heads(found) == Heads{});
}

TEST_CASE("doctor: it leaves nothing behind") {
  const World world;
  const auto files = [&] {
    std::set<std::string> all;
    for (const auto& each : std::filesystem::recursive_directory_iterator(world.root))
      all.insert(each.path());
    return all;
  };
  const auto before = files();
  run_all(world.context());
  CHECK(files() == before);
}

TEST_CASE("doctor: each check has a name of its own") {
  std::set<std::string_view> names;
  for (const CheckEntry& each : all_checks()) names.insert(each.name);
  CHECK(names.size() == all_checks().size());
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: a FIFO in the place of a program, a database or its WAL does not hold doctor up") {
  World world;
  ::alarm(20);  // the failure would be to hang
  for (const char* each : {"bin/gated", "data/store/messages.db"}) {
    world.remove(each);
    REQUIRE(::mkfifo((world.root + '/' + each).c_str(), 0755) == 0);
  }
  CHECK(heads(check_programs(world.context())) == Heads{"error programs"});
  CHECK(run_all(world.context()).size() > 0);
  ::alarm(0);
}

TEST_CASE("doctor: no value of the environment is part of a finding") {
  World world;
  for (const char* name :
       {"CHANNEL_SECRET", "ASSISTANT_NAME", "TELEGRAM_BOT_TOKEN", "AUTH_SECRET", "ARIZUKO_DEV"})
    world.set(name, "planted value: " + std::string(name));
  world.write("bin/docker", "#!/bin/sh\necho \"error: $CHANNEL_SECRET\"\nexit 1\n", 0755);
  world.remove("bin/teled");
  for (const Finding& each : run_all(world.context())) CHECK_FALSE(has(full(each), "planted value"));
}
