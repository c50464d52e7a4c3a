#include "arizuko/host/process/find_executable.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "host/host_test_tools.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

TEST_CASE("find executable: a program is found in the path as execvp would") {
  Scratch scratch;
  std::filesystem::create_directory(scratch / "a");
  std::filesystem::create_directories(scratch / "b/tool");  // a directory is no program
  std::filesystem::create_directory(scratch / "c");
  write_text(scratch / "a/tool", "");
  write_text(scratch / "c/tool", "");
  ::chmod((scratch / "c/tool").c_str(), 0755);
  const std::string path = (scratch / "a") + ":" + (scratch / "b") + ":" + (scratch / "c");
  CHECK(find_executable("tool", path) == scratch / "c/tool");
  CHECK(find_executable("./x", path) == "./x");
  CHECK(find_executable("tool", scratch / "a").error().error == EACCES);
  CHECK(to_text(find_executable("gated", "/bin:/usr/bin").error()) ==
        "finding the program gated in PATH /bin:/usr/bin: No such file or directory (ENOENT)");
}
