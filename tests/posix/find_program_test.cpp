#include "arizuko/posix/find_program.hpp"

#include <cerrno>

#include <doctest/doctest.h>

using arizuko::posix::Directories;
using arizuko::posix::find_program;

TEST_CASE("find program: the first that may be executed and is wanted") {
  CHECK(find_program("sh", "/no/such:/bin:/usr/bin", Directories::all) == "/bin/sh");
  const auto not_in_bin = [](const std::string& candidate) { return !candidate.starts_with("/bin/"); };
  CHECK(find_program("sh", "/bin:/usr/bin", Directories::all, not_in_bin) == "/usr/bin/sh");
  CHECK(find_program("sh", "/bin", Directories::all, not_in_bin).error() == ENOENT);
}

TEST_CASE("find program: who does not know where it stands asks for absolute directories only") {
  CHECK(find_program("sh", "bin:../../../../../../../../../bin::/usr/bin", Directories::absolute) ==
        "/usr/bin/sh");
  CHECK(find_program("sh", "", Directories::absolute).error() == ENOENT);
}

TEST_CASE("find program: no name is no program, a file without the right to execute says so") {
  CHECK(find_program("", "/bin", Directories::all).error() == ENOENT);
  CHECK(find_program("passwd", "/etc", Directories::all).error() == EACCES);
}
