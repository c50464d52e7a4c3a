#include "arizuko/host/state/state_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/state/data_lock.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "host/host_test_tools.hpp"
#include "host/state/task_marks.hpp"
#include "root.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;
namespace fs = std::filesystem;

namespace {

struct stat status_of(const std::string& path) {
  struct stat info{};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info;
}

void give_to(const std::string& path, uid_t uid) { REQUIRE(::lchown(path.c_str(), uid, uid) == 0); }

}  // namespace

TEST_CASE("state directory: a link in its place is refused, and nothing is written where it leads") {
  const Scratch scratch;
  const Scratch elsewhere;
  fs::create_symlink(elsewhere.path(), scratch / ".arizuko-init");
  const auto state = StateDir::make(scratch.path());
  REQUIRE_FALSE(state);
  CHECK(state.error() == "cannot use " + (scratch / ".arizuko-init") +
                             ": it is a link, not a directory; look who put it there, and move it away");
  CHECK(fs::is_empty(elsewhere.path()));
}

TEST_CASE("state directory: a FIFO in its place is refused at once") {
  const Scratch scratch;
  REQUIRE(::mkfifo((scratch / ".arizuko-init").c_str(), 0600) == 0);
  const auto state = StateDir::make(scratch.path());
  REQUIRE_FALSE(state);
  CHECK(state.error().contains("it is a FIFO, not a directory; look who put it there"));
}

TEST_CASE("state directory: root takes none that belongs to somebody else, and says what would work") {
  arizuko::testing::needs_root();
  const Scratch scratch;
  fs::create_directory(scratch / ".arizuko-init");
  give_to(scratch / ".arizuko-init", 1000);
  const auto state = StateDir::make(scratch.path());
  REQUIRE_FALSE(state);
  CHECK(state.error().contains("/.arizuko-init belongs to uid 1000, and this is root"));
  CHECK(state.error().contains("Run arizuko-init as uid 1000, or look what is in it and chown -R root:root"));
  CHECK(fs::is_empty(scratch / ".arizuko-init"));
}

TEST_CASE(
    "state directory: what a kubelet allowed a volume's group is taken back where root's daemons have it") {
  arizuko::testing::needs_root();
  const Scratch scratch;
  REQUIRE(StateDir::make(scratch.path()));
  REQUIRE(::chmod((scratch / ".arizuko-init").c_str(), 02770) == 0);
  REQUIRE(StateDir::make(scratch.path()));
  CHECK((status_of(scratch / ".arizuko-init").st_mode & 07777U) == 0711U);
}

TEST_CASE("state directory: swapped for a link after the start, root still writes where it began") {
  arizuko::testing::needs_root();
  const Scratch scratch;
  const Scratch victim;
  write_text(victim / "guarded.json", "precious");
  write_text(victim / "seed.begun", "precious");
  give_to(scratch.path(), 1000);
  auto lock = DataLock::acquire(scratch.path());
  REQUIRE(lock);
  fs::rename(scratch / ".arizuko-init", scratch / "aside");
  fs::create_symlink(victim.path(), scratch / ".arizuko-init");

  TaskMarks marks(lock->state());
  REQUIRE(marks.begin("seed"));
  REQUIRE(marks.begin("other"));
  marks.finish("other");
  GuardedStore store(lock->state(), "");
  arizuko::env::Snapshot snapshot;
  snapshot.values["AUTH_SECRET"] = {.text = "one", .source = "environment"};
  REQUIRE(store.remember("AUTH_SECRET", snapshot));

  CHECK(read_text(victim / "guarded.json") == "precious");
  CHECK(read_text(victim / "seed.begun") == "precious");
  CHECK(fs::exists(scratch / "aside/seed.begun"));
  CHECK_FALSE(fs::exists(scratch / "aside/other.begun"));
  CHECK(read_text(scratch / "aside/guarded.json").contains("AUTH_SECRET"));
}

TEST_CASE("data lock: a link, a hard link or a FIFO in the place of the lock is named, and left as it is") {
  const Scratch scratch;
  write_text(scratch / "precious", "text");
  REQUIRE(StateDir::make(scratch.path()));
  const std::string lock = scratch / ".arizuko-init/lock";
  const auto refused = [&] {
    const auto taken = DataLock::acquire(scratch.path());
    fs::remove(lock);
    return taken ? "taken" : taken.error().text;
  };
  fs::create_symlink(scratch / "precious", lock);
  CHECK(
      refused().contains("lock: it is a link, not a regular file; look who put it there, and move it away"));
  fs::create_hard_link(scratch / "precious", lock);
  CHECK(refused().contains("lock: it has a second name (a hard link)"));
  REQUIRE(::mkfifo(lock.c_str(), 0600) == 0);
  CHECK(refused().contains("lock: it is a FIFO, not a regular file"));
  CHECK(read_text(scratch / "precious") == "text");
  CHECK(refused() == "taken");
}

TEST_CASE("task marks: a FIFO in the place of seed.begun does not stop the supervisor") {
  const Scratch scratch;
  const auto state = StateDir::make(scratch.path());
  REQUIRE(state);
  TaskMarks marks(*state);
  REQUIRE(::mkfifo(state->path("seed.begun").c_str(), 0600) == 0);
  ::alarm(10);  // the failure would be to hang
  CHECK(marks.was_cut_short("seed"));
  CHECK(marks.begin("seed"));
  CHECK(S_ISREG(status_of(state->path("seed.begun")).st_mode));
  marks.finish("seed");
  CHECK_FALSE(marks.was_cut_short("seed"));
  ::alarm(0);
}

TEST_CASE("guarded store: a FIFO in the place of its file is a trouble, and the next change makes it good") {
  const Scratch scratch;
  const auto state = StateDir::make(scratch.path());
  REQUIRE(state);
  REQUIRE(::mkfifo(state->path("guarded.json").c_str(), 0600) == 0);
  GuardedStore store(*state, "");
  CHECK(store.trouble() == "cannot read " + state->path("guarded.json") + ": is a FIFO, not a regular file");
  arizuko::env::Snapshot snapshot;
  CHECK(store.unlike_last_run({"AUTH_SECRET"}, snapshot) == std::vector<std::string>{"AUTH_SECRET"});
  REQUIRE(store.remember("AUTH_SECRET", snapshot));
  CHECK(GuardedStore(*state, "").trouble().empty());
}
