// Programs, and the users that run them.
#include <doctest/doctest.h>

#include <fstream>

#include <unistd.h>

#include "root.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("doctor: a service with `user` where this is not root is said before it is started") {
  World world;
  world.load("[service.gated]\nuser = \"1000\"\n");
  world.user = {1001, 1001, {}};
  const Finding found = only(check_users(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.key == "service.gated.user");
  CHECK(found.what == "it is to run as uid 1000, and this is uid 1001");
  world.user = {1000, 1000, {}};
  CHECK(heads(check_users(world.context())) == Heads{});
}

TEST_CASE("doctor: root whose service cannot enter the data directory hears it, and what would work") {
  arizuko::testing::needs_root();
  World world;
  world.load("[service.gated]\nuser = \"1000:1000\"\n");
  ::chmod(world.root.c_str(), 0700);
  Finding found = only(check_users(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "uid 1000 cannot enter "));
  CHECK(has(found.fix, "chown it to 1000:1000"));
  // Those above belong to whoever made the source tree.
  world.write("bin/x", "");
  ::chmod(world.root.c_str(), 0755);
  ::chmod((world.root + "/data").c_str(), 0755);
  found = only(check_users(world.context()));
  CHECK(found.severity == Severity::warning);
  CHECK(found.what == fmt::format("uid 1000 cannot write in {}/data (owner 0:0, mode 0755)", world.root));
  REQUIRE(::chown((world.root + "/data").c_str(), 1000, 1000) == 0);
  CHECK(heads(check_users(world.context())) == Heads{});
}

TEST_CASE("doctor: a program whose setuid bit has no effect is a warning") {
  arizuko::testing::needs_root();
  World world;
  world.load("[service.gated]\nuser = \"1000\"\n");
  world.user = {0, 0, {}};
  ::chmod((world.root + "/bin/gated").c_str(), 04755);
  const Finding found = only(check_programs(world.context()));
  CHECK(found.severity == Severity::warning);
  CHECK(has(found.what, fmt::format("bin/gated is setuid, of uid {}", ::geteuid())));
  CHECK(has(found.why, "no_new_privs"));
}

TEST_CASE("doctor: a program that is not there, or not executable, is found") {
  World world;
  world.remove("bin/proxyd");
  CHECK(only(check_programs(world.context())).what == "proxyd is not in " + world.root + "/bin");
  world.write("bin/proxyd", "#!/bin/sh\n", 0644);
  CHECK(has(only(check_programs(world.context())).what, "/bin, but may not be run"));
  CHECK(has(only(check_programs(world.context())).fix, "chmod"));
  world.write("bin/proxyd", "#!/bin/sh\n", 0755);
  world.remove("bin/gated");
  const Finding found = only(check_programs(world.context()));
  CHECK(found.severity == Severity::error);  // essential
  CHECK(found.key == "service.gated.command");
  CHECK(found.where.line > 0);
}

TEST_CASE("doctor: a program whose loader or interpreter is missing is found without running it (T39)") {
  const World world;
  world.write("bin/proxyd", "#!/nowhere/sh\nexit 0\n", 0755);
  CHECK(has(only(check_programs(world.context())).what, "interpreter /nowhere/sh is not in this image"));
  // This very program, with the path of its loader overwritten: as one that was built for musl.
  std::ifstream own("/proc/self/exe", std::ios::binary);
  std::string binary((std::istreambuf_iterator<char>(own)), {});
  const std::size_t loader = binary.find("/lib64/ld-linux-x86-64.so.2");
  REQUIRE(loader != binary.npos);
  binary.replace(loader, 27, std::string("/lib/ld-musl-planted.so.1\0\0", 27));
  world.write("bin/proxyd", binary, 0755);
  const Finding found = only(check_programs(world.context()));
  CHECK_MESSAGE(has(found.what, "its loader /lib/ld-musl-planted.so.1 is not"), full(found));
  CHECK(has(found.why, "T39"));
}

TEST_CASE("doctor: a program for another CPU, or one of which only a part is there, is found") {
  const World world;
  world.write("bin/proxyd", "", 0755);
  CHECK(has(only(check_programs(world.context())).what, "ENOEXEC"));
  std::ifstream own("/proc/self/exe", std::ios::binary);
  std::string binary((std::istreambuf_iterator<char>(own)), {});
  world.write("bin/proxyd", binary, 0755);
  CHECK(heads(check_programs(world.context())) == Heads{});
  binary[18] = '\x15', binary[19] = 0;  // e_machine: ppc64
  world.write("bin/proxyd", binary, 0755);
  if (!std::filesystem::exists("/proc/sys/fs/binfmt_misc/register"))
    CHECK(has(only(check_programs(world.context())).what, "ENOEXEC"));
}

TEST_CASE("doctor: the program of a service that is off is not looked for") {
  World world;
  world.remove("bin/teled");
  CHECK(heads(check_programs(world.context())) == Heads{});
  world.set("TELEGRAM_BOT_TOKEN", "planted");
  CHECK(heads(check_programs(world.context())) == Heads{"warning programs"});
}
