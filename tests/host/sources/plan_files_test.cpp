#include "arizuko/host/sources/plan_files.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/plan/problem.hpp"
#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;
namespace fs = std::filesystem;

namespace {

/// A plan file p.toml, and drop-ins beside it. Its tests end after 10 s: their failure would be to hang.
class PlanFolder {
 public:
  PlanFolder() { ::alarm(10); }
  ~PlanFolder() { ::alarm(0); }
  PlanFolder(const PlanFolder&) = delete;
  PlanFolder& operator=(const PlanFolder&) = delete;

  std::string plan() const { return scratch_ / "p.toml"; }
  std::string drop_in(const std::string& name) const {
    fs::create_directories(plan() + ".d");
    return fmt::format("{}.d/{}", plan(), name);
  }
  void write_plan() const { write_text(plan(), "a"); }

  /// All problems, one a line, without the directory's name; "" when there are none.
  std::string problems() const {
    const auto files = read_plan_files(plan());
    std::string text;
    if (!files)
      for (const plan::Problem& each : files.error()) text += plan::to_text(each) + '\n';
    for (std::size_t at; (at = text.find(scratch_.path() + '/')) != text.npos;)
      text.erase(at, scratch_.path().size() + 1);
    return text;
  }

 private:
  Scratch scratch_;
};

}  // namespace

TEST_CASE("plan files: they are read in name order, hidden ones and other endings left out") {
  const PlanFolder folder;
  folder.write_plan();
  write_text(folder.drop_in("20.toml"), "c");
  write_text(folder.drop_in("10.toml"), "b");
  write_text(folder.drop_in(".30.toml"), "x");
  write_text(folder.drop_in("40.toml~"), "x");
  const auto files = read_plan_files(folder.plan());
  REQUIRE(files);
  std::string texts;
  for (const plan::File& file : *files) texts += file.text;
  CHECK(texts == "abc");
  CHECK(files->at(1).path == folder.plan() + ".d/10.toml");
}

TEST_CASE("plan files: a FIFO among the drop-ins is refused at once, by its name") {
  const PlanFolder folder;
  folder.write_plan();
  REQUIRE(::mkfifo(folder.drop_in("x.toml").c_str(), 0644) == 0);
  CHECK(folder.problems() ==
        "p.toml.d/x.toml: is a FIFO, not a regular file; a plan is made of files; move it away\n");
  // The kubelet's links are followed, whatever they name.
  fs::remove(folder.drop_in("x.toml"));
  REQUIRE(::mkfifo(folder.drop_in("fifo").c_str(), 0644) == 0);
  fs::create_symlink("fifo", folder.drop_in("y.toml"));
  CHECK(folder.problems().starts_with("p.toml.d/y.toml: is a FIFO"));
}

TEST_CASE(
    "plan files: a FIFO in the place of the plan, or of the directory of drop-ins, is refused at once") {
  const PlanFolder folder;
  REQUIRE(::mkfifo(folder.plan().c_str(), 0644) == 0);
  REQUIRE(::mkfifo((folder.plan() + ".d").c_str(), 0644) == 0);
  CHECK(folder.problems() ==
        "p.toml.d: is a FIFO, not a directory; move it away: the drop-ins of the plan are looked for there\n"
        "p.toml: is a FIFO, not a regular file; a plan is made of files; move it away\n");
}

TEST_CASE("plan files: what is missing, a directory, a device or too large is said as such") {
  const PlanFolder folder;
  CHECK(folder.problems() == "p.toml: the file is missing; name the plan with --plan FILE\n");
  folder.write_plan();
  fs::create_directory(folder.drop_in("1.toml"));
  fs::create_symlink("nowhere", folder.drop_in("2.toml"));
  fs::create_symlink("/dev/zero", folder.drop_in("3.toml"));
  write_text(folder.drop_in("4.toml"), std::string(plan::most_file_bytes + 1, '#'));
  CHECK(folder.problems() ==
        "p.toml.d/1.toml: is a directory, not a regular file; a plan is made of files; move it away\n"
        "p.toml.d/2.toml: is a link to nothing; remove it\n"
        "p.toml.d/3.toml: is a device, not a regular file; a plan is made of files; move it away\n"
        "p.toml.d/4.toml: is larger than 1 MiB; make it several files\n");
}

TEST_CASE("plan files: more drop-ins than a plan may have are counted, not read") {
  const PlanFolder folder;
  folder.write_plan();
  for (int i = 0; i < 64; ++i) write_text(folder.drop_in(fmt::format("a{}.toml", i)), "x");
  CHECK(folder.problems() == "p.toml.d: holds 64 drop-ins; a plan can have 64 files with the plan file\n");
}
