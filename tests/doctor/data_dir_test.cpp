// The data directory, its file system and .env: owner, mode, room, locks.
#include <doctest/doctest.h>

#include <unistd.h>

#include "root.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("doctor: a data directory of somebody else is an error that names owner, mode and cure") {
  World world;
  world.become_a_stranger();
  const Finding found = only(check_data_dir(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.what == fmt::format("uid {} cannot write here (owner {}:{}, mode 0750)", world.user.uid,
                                  ::geteuid(), ::getegid()));
  CHECK(has(found.fix, fmt::format("chown it to {}:{}", world.user.uid, world.user.gid)));
}

TEST_CASE("doctor: a state directory of somebody else is an error for root, as at the start") {
  arizuko::testing::needs_root();
  const World world;
  std::filesystem::create_directory(world.root + "/data/.arizuko-init");
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  REQUIRE(::chown((world.root + "/data/.arizuko-init").c_str(), 1000, 1000) == 0);
  CHECK(only(check_data_dir(world.context())).what == "it belongs to uid 1000, and this is root");
}

TEST_CASE("doctor: a group that may write is enough, as with fsGroup") {
  World world;
  world.become_a_stranger();
  world.user.groups = {::getegid()};
  ::chmod((world.root + "/data").c_str(), 02770);
  ::chmod((world.root + "/data/store").c_str(), 02770);
  CHECK(heads(check_data_dir(world.context())) == Heads{});
}

TEST_CASE("doctor: a data directory that cannot be made is an error, one that can is none") {
  World world;
  world.remove("data");
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  world.become_a_stranger();
  const Finding found = only(check_data_dir(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "it does not exist"));
}

TEST_CASE("doctor: a file in place of the data directory, and one that everybody may write") {
  const World world;
  ::chmod((world.root + "/data").c_str(), 0777);
  CHECK(has(only(check_data_dir(world.context())).what, "everybody may write here"));
  world.remove("data");
  world.write("data", "");
  CHECK(only(check_data_dir(world.context())).what == "it is no directory");
  World below;
  below.plan.pod.data_dir = world.root + "/data/deeper/arizuko_demo";
  CHECK(only(check_data_dir(below.context())).what == world.root + "/data is no directory");
}

TEST_CASE("doctor: a database that root made is an error for uid 1000 (T15)") {
  World world;
  world.write("data/store/messages.db", "", 0644);
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  world.become_a_stranger();
  ::chmod((world.root + "/data").c_str(), 0777);
  ::chmod((world.root + "/data/store").c_str(), 0777);
  const Findings found = check_data_dir(world.context());
  CHECK(heads(found) == Heads{"warning data-dir", "error data-dir"});
  CHECK(found.back().where.file == world.root + "/data/store/messages.db");
}

TEST_CASE("doctor: little room is a warning, hardly any is an error, inodes count too") {
  constexpr std::uint64_t mebibyte = 1024 * 1024;
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 100'000, 200'000)) == Heads{});
  CHECK(heads(judge_free_space("/d", 100 * mebibyte, 100'000, 200'000)) == Heads{"warning free-space"});
  CHECK(only(judge_free_space("/d", 10 * mebibyte, 100'000, 200'000)).what == "10 MiB are free");
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 50, 200'000)) == Heads{"error free-space"});
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 0, 0)) == Heads{});  // btrfs has no fixed number
}

TEST_CASE("doctor: a network file system is an error, FUSE and what passes are warnings, a disk is fine") {
  for (const std::uint64_t type : {0x6969U, 0x517BU, 0xFF534D42U, 0xFE534D42U, 0x01021997U}) {
    CAPTURE(type);
    CHECK(heads(judge_file_system("/d", type)) == Heads{"error file-system"});
  }
  CHECK(only(judge_file_system("/d", 0x6969)).what == "the file system is NFS");
  CHECK(heads(judge_file_system("/d", 0x65735546)) == Heads{"warning file-system"});
  CHECK(has(only(judge_file_system("/d", 0x01021994)).what, "tmpfs: it is gone with the container"));
  CHECK(heads(judge_file_system("/d", 0xEF53)) == Heads{});      // ext4
  CHECK(heads(judge_file_system("/d", 0x58465342)) == Heads{});  // XFS
}

TEST_CASE("doctor: shared memory and locks are tried in the data directory") {
  const World world;
  for (const Finding& each : check_file_system(world.context())) CHECK(each.severity != Severity::error);
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: a .env that cannot be read is an error, one that others read a warning (T15)") {
  World world;
  ::chmod((world.root + "/data/.env").c_str(), 0644);
  const Finding open = only(check_dotenv(world.context()));
  CHECK(open.severity == Severity::warning);
  CHECK(open.fix == "chmod 0600 " + world.root + "/data/.env");
  ::chmod((world.root + "/data/.env").c_str(), 0600);
  world.become_a_stranger();
  CHECK(heads(check_dotenv(world.context())) == Heads{"error dotenv"});
}

TEST_CASE("doctor: a .env of another user that can be read is a warning") {
  World world;
  world.user = {0, 0, {}};
  ::chown((world.root + "/data/.env").c_str(), ::geteuid() == 0 ? 1000 : ::geteuid(), static_cast<gid_t>(-1));
  CHECK(has(only(check_dotenv(world.context())).what, "it belongs to another user"));
}

TEST_CASE(
    "doctor: what is no directory of ours where the state is kept is said before the start refuses it") {
  const World world;
  std::filesystem::create_directory_symlink(world.root, world.root + "/data/.arizuko-init");
  CHECK(only(check_data_dir(world.context())).what == "it is a link, not a directory");
  world.remove("data/.arizuko-init");
  std::filesystem::create_directory(world.root + "/data/.arizuko-init");
  REQUIRE(::mkfifo((world.root + "/data/.arizuko-init/lock").c_str(), 0600) == 0);
  CHECK(only(check_data_dir(world.context())).what == "it is a FIFO, not a regular file");
}
