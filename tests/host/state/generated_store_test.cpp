// Values that are made once, in their files.
#include "arizuko/host/state/generated_store.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

struct Place {
  Scratch data;
  StateDir state = StateDir::make(data.path()).value();
  GeneratedStore store{state};
  std::string directory = data / ".arizuko-init/generated";
};

bool is_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

}  // namespace

TEST_CASE("generated store: a value is made once, kept as it is, and nobody else can read it") {
  const Place place;
  CHECK(place.store.read("A").value() == std::nullopt);
  const auto made = place.store.make({"A", 32, plan::Encoding::hex});
  REQUIRE(made);
  CHECK(made->size() == 64);
  CHECK(is_of(*made, "0123456789abcdef"));
  CHECK(read_text(place.directory + "/A") == *made);
  CHECK(place.store.read("A").value() == *made);
  CHECK(mode_of(place.directory) == 0700);
  CHECK(mode_of(place.directory + "/A") == 0600);
  const auto other = place.store.make({"B", 32, plan::Encoding::hex});
  CHECK(other.value() != *made);
  CHECK_FALSE(std::filesystem::exists(place.directory + "/B.new"));
}

TEST_CASE("generated store: the encodings are those that they are called") {
  const Place place;
  const std::string plain = place.store.make({"A", 32, plan::Encoding::base64}).value();
  CHECK(plain.size() == 44);
  CHECK(plain.ends_with('='));
  CHECK(is_of(plain, std::string(letters) + "+/="));
  const std::string url = place.store.make({"B", 1024, plan::Encoding::base64url}).value();
  CHECK(url.size() == 1366);  // without padding
  CHECK(is_of(url, std::string(letters) + "-_"));
}

TEST_CASE("generated store: what is there is never written over, but an empty file is") {
  const Place place;
  REQUIRE(place.store.make({"A"}));
  write_text(place.directory + "/A", "by-hand\r\n");
  CHECK(place.store.read("A").value() == "by-hand");
  const auto again = place.store.make({"A"});
  REQUIRE_FALSE(again);
  CHECK(again.error() == place.directory + "/A holds another value already");
  CHECK(read_text(place.directory + "/A") == "by-hand\r\n");
  write_text(place.directory + "/A", "\n");
  CHECK(place.store.read("A").value() == std::nullopt);
  CHECK(place.store.make({"A"}));
}

TEST_CASE("generated store: a link, a directory and what no process can be given are refused, and stay") {
  const Place place;
  REQUIRE(place.store.make({"A"}));
  const auto refused = [&](const std::string& key) {
    const auto read = place.store.read(key);
    const auto made = place.store.make({key});
    REQUIRE_FALSE(read);
    REQUIRE_FALSE(made);
    CHECK(made.error() == read.error());
    CHECK(read.error().starts_with(place.directory + "/" + key));
    return read.error();
  };
  std::filesystem::create_symlink(place.directory + "/A", place.directory + "/LINK");
  CHECK(refused("LINK").contains("link"));
  std::filesystem::create_directory(place.directory + "/DIR");
  CHECK(refused("DIR").contains("directory"));
  write_text(place.directory + "/LONG", std::string(200'000, 'x'));
  CHECK(refused("LONG").contains("restore it from a backup"));
  write_text(place.directory + "/NUL", std::string("a\0b", 3));
  CHECK(refused("NUL").contains("NUL byte"));
}

TEST_CASE("generated store: a file of another user is not taken") {
  if (::geteuid() != 0) return;
  const Place place;
  REQUIRE(place.store.make({"A"}));
  REQUIRE(::chown((place.directory + "/A").c_str(), 4711, 4711) == 0);
  const auto read = place.store.read("A");
  REQUIRE_FALSE(read);
  CHECK(read.error().contains("belongs to uid 4711, and this is uid 0"));
}

TEST_CASE("generated store: something else in the directory's place is an error that says what") {
  const Place place;
  write_text(place.directory, "");
  const auto made = place.store.make({"A"});
  REQUIRE_FALSE(made);
  CHECK(made.error() == "cannot use " + place.directory + ": is a regular file, not a directory");
}

TEST_CASE("generated store: rights that a volume's group was given are taken away again") {
  const Place place;
  REQUIRE(place.store.make({"A"}));
  ::chmod((place.directory + "/A").c_str(), 0660);
  ::chmod(place.directory.c_str(), 02770);
  plan::EnvPolicy env;
  env.generated = {{"A"}, {"NONE"}};
  place.store.close_to_others(env);
  CHECK(mode_of(place.directory) == 0700);
  CHECK(mode_of(place.directory + "/A") == 0600);
}
