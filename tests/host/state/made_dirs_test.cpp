#include "arizuko/host/state/made_dirs.hpp"

#include <cerrno>
#include <filesystem>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/descriptor.hpp"
#include "host/host_test_tools.hpp"
#include "root.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;
namespace fs = std::filesystem;

namespace {

const posix::Account daemons{1000, 1000, {1000}};

struct DataDir : Scratch {
  bool make(const std::string& name, const std::optional<posix::Account>& owner) const {
    return make_directory_below(opened.get(), path(), *this / name, owner);
  }
  std::string owner(const std::string& name) const {
    struct stat info{};
    if (::lstat((*this / name).c_str(), &info) != 0) return "none";
    return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
  }
  void give(const std::string& name) const { REQUIRE(::lchown((*this / name).c_str(), 1000, 1000) == 0); }
  posix::Descriptor opened{::open(path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
};

plan::Service with_user(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) {
  plan::Service service;
  service.uid = uid;
  service.gid = gid;
  return service;
}

}  // namespace

TEST_CASE("made directories: they are made with their parents, below the root only") {
  const DataDir data;
  CHECK(data.make("a/b//c", std::nullopt));
  CHECK(data.make("a/b/c", std::nullopt));
  CHECK(fs::is_directory(data / "a/b/c"));
  CHECK_FALSE(make_directory_below(data.opened.get(), data.path(), data.path() + "x", std::nullopt));
  CHECK(errno == EPERM);
  write_text(data / "file", "");
  CHECK_FALSE(data.make("file/x", std::nullopt));
  CHECK(errno == ENOTDIR);
}

TEST_CASE(
    "made directories: what root makes for a user is the user's, in root's directories and in his own") {
  arizuko::testing::needs_root();
  const DataDir data;
  REQUIRE(data.make("of root/deep", daemons));
  CHECK(data.owner("of root/deep") == "1000:1000");
  fs::create_directory(data / "his");
  data.give("his");
  REQUIRE(data.make("his/deep", daemons));
  CHECK(data.owner("his/deep") == "1000:1000");
  REQUIRE(data.make("his/for nobody", std::nullopt));  // as who owns it
  CHECK(data.owner("his/for nobody") == "1000:1000");
}

TEST_CASE("made directories: root lends nobody its rights in a directory of a third user") {
  arizuko::testing::needs_root();
  const DataDir data;
  fs::create_directory(data / "his");
  data.give("his");
  CHECK_FALSE(data.make("his/other", posix::Account{1001, 1001, {1001}}));
  CHECK(errno == EACCES);
  CHECK(data.owner("his/other") == "none");
  CHECK(::access((data / "of root again").c_str(), F_OK) != 0);
  CHECK(data.make("of root again", std::nullopt));  // its own rights are back
  CHECK(data.owner("of root again") == "0:0");
}

TEST_CASE("made directories: root makes nothing through a link that a daemon put below the data directory") {
  arizuko::testing::needs_root();
  const DataDir data;
  const Scratch victim;
  fs::create_symlink(victim.path(), data / "store");
  data.give("store");
  CHECK_FALSE(data.make("store/deep", daemons));
  CHECK(fs::is_empty(victim.path()));
  CHECK(data.make("store", daemons));  // it is there, whatever it is
}

TEST_CASE("made directories: they are for the one user that all services with a user have") {
  arizuko::testing::needs_root();
  plan::Plan plan;
  CHECK_FALSE(owner_of_made_dirs(plan));
  plan.services = {with_user({}, {}), with_user(1000, 1001), with_user(1000, 1001)};
  CHECK(owner_of_made_dirs(plan) == posix::Account{1000, 1001, {1001}});
  plan.services.push_back(with_user(1002, {}));
  CHECK_FALSE(owner_of_made_dirs(plan));
  plan.services.back().enabled = false;
  CHECK(owner_of_made_dirs(plan).has_value());
}
