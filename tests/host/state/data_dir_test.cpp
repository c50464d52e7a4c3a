#include "arizuko/host/state/data_dir.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "host/host_test_tools.hpp"
#include "root.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;
namespace fs = std::filesystem;

TEST_CASE("data dir: the last directory is made, and one that is there is left alone") {
  const Scratch scratch;
  const std::string path = scratch / "data";
  CHECK(make_data_dir(path, Parents::must_be_there, std::nullopt));
  CHECK(fs::is_directory(path));
  std::ofstream(path + "/kept") << "kept";
  CHECK(make_data_dir(path, Parents::must_be_there, std::nullopt));
  CHECK(fs::exists(path + "/kept"));
}

TEST_CASE("data dir: a missing parent is a volume that was not mounted, but in a rehearsal") {
  const Scratch scratch;
  const std::string path = scratch / "volume/data";
  const auto refused = make_data_dir(path, Parents::must_be_there, std::nullopt);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().step == DataDirError::Step::find_parent);
  CHECK(refused.error().error == ENOENT);
  CHECK(to_text(refused.error()) == "cannot create the data directory " + path +
                                        ": No such file or directory; " + scratch.path() +
                                        "/volume is not there: is the volume mounted?");
  CHECK(make_data_dir(path, Parents::are_made, std::nullopt));
  CHECK(fs::is_directory(path));
}

TEST_CASE("data dir: root makes it for the services' user") {
  arizuko::testing::needs_root();
  const Scratch scratch;
  const std::string path = scratch / "data";
  CHECK(make_data_dir(path, Parents::must_be_there, posix::Account{1000, 1000, {1000}}));
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK(info.st_uid == 1000);
}
