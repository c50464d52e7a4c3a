// Logins that are kept in files: out of the way, back, gone; and never through a link.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "host/state/login_files.hpp"
#include "temporary_directory.hpp"

namespace arizuko::host {
namespace {

namespace fs = std::filesystem;
using Do = engine::LoginFiles::Do;

class DataDir : public tests::TemporaryDirectory {
 public:
  DataDir() { fs::create_directory(path("bskyd")); }

  void write(const std::string& text) const { TemporaryDirectory::write(file, text); }
  std::string read(const std::string& name) const {
    return fs::exists(path(name)) ? TemporaryDirectory::read(name) : "-";
  }
  bool move(Do what) const { return move_login(path(), path(file), what).has_value(); }
  /// Of the file and of what is set aside.
  std::string both() const { return read(file) + " " + read(std::string(file) + aside_suffix); }

  static constexpr const char* file = "bskyd/session.json";
};

}  // namespace

TEST_CASE("logins: a saved login is set aside, and comes back as it was") {
  const DataDir data;
  data.write("old");
  CHECK(data.move(Do::set_aside));
  CHECK(data.both() == "- old");
  data.write("new");
  SUBCASE("back") {
    CHECK(data.move(Do::put_back));
    CHECK(data.both() == "old -");
  }
  SUBCASE("forgotten") {
    CHECK(data.move(Do::forget));
    CHECK(data.both() == "new -");
  }
  SUBCASE("a third value") {
    CHECK(data.move(Do::drop));
    CHECK(data.both() == "- old");
  }
  SUBCASE("two keys of one file: the first one's is kept") {
    CHECK(data.move(Do::set_aside));
    CHECK(data.both() == "- old");
  }
}

TEST_CASE("logins: where there is none, nothing is the matter") {
  const DataDir data;
  for (const Do what : {Do::set_aside, Do::drop, Do::put_back, Do::forget}) CHECK(data.move(what));
  fs::remove(data.path("bskyd"));
  CHECK(data.move(Do::set_aside));
}

TEST_CASE("logins: nothing outside is moved by way of a link, and no FIFO is opened") {
  const DataDir data;
  const DataDir elsewhere;
  elsewhere.write("theirs");
  fs::remove(data.path("bskyd"));
  fs::create_directory_symlink(elsewhere.path("bskyd"), data.path("bskyd"));
  CHECK_FALSE(data.move(Do::set_aside));
  CHECK(elsewhere.both() == "theirs -");
  fs::remove(data.path("bskyd"));
  fs::create_directory(data.path("bskyd"));
  fs::create_symlink(elsewhere.path(DataDir::file), data.path(DataDir::file));
  CHECK_FALSE(data.move(Do::set_aside));
  CHECK(elsewhere.both() == "theirs -");
  fs::remove(data.path(DataDir::file));
  REQUIRE(::mkfifo(data.path(DataDir::file).c_str(), 0600) == 0);
  CHECK_FALSE(data.move(Do::set_aside));
}

}  // namespace arizuko::host
