#include "arizuko/host/state/data_lock.hpp"

#include <csignal>
#include <optional>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host_test_tools.hpp"
#include "root.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

/// A process of its own that takes the lock and keeps it until it is killed.
struct Holding {
  explicit Holding(const std::string& data_dir) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid = ::fork();
    if (pid == 0) {
      const auto lock = DataLock::acquire(data_dir);
      const char answer = lock ? 'y' : 'n';
      (void)!::write(ready[1], &answer, 1);
      ::pause();
      ::_exit(0);
    }
    char answer = 'n';
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    CHECK(answer == 'y');
  }
  void kill() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  pid_t pid = 0;
};

}  // namespace

TEST_CASE("data lock: the second supervisor is told who holds the directory (T25)") {
  Scratch scratch;
  Holding other(scratch.path());
  const auto lock = DataLock::acquire(scratch.path());
  REQUIRE_FALSE(lock.has_value());
  CHECK(lock.error().text.contains("in use by arizuko-init with pid " + std::to_string(other.pid) +
                                   " on host "));
  CHECK(lock.error().text.contains(" since 20"));
  CHECK(lock.error().text.contains("Recreate"));
  other.kill();
  CHECK(DataLock::acquire(scratch.path()).has_value());  // the kernel has dropped it
}

TEST_CASE(
    "data lock: a second supervisor does not start beside the first when a daemon deleted the lock file") {
  Scratch scratch;
  Holding other(scratch.path());
  std::filesystem::remove(scratch / ".arizuko-init/lock");
  const auto lock = DataLock::acquire(scratch.path());
  REQUIRE_FALSE(lock.has_value());
  CHECK(lock.error().why == LockRefusal::Why::held);
  CHECK(lock.error().text.contains("(pid " + std::to_string(other.pid) + ")"));
  std::filesystem::remove_all(scratch / ".arizuko-init");
  CHECK_FALSE(DataLock::acquire(scratch.path()).has_value());
  other.kill();
  CHECK(DataLock::acquire(scratch.path()).has_value());
}

TEST_CASE("data lock: what is held may be free later, what is impossible will not") {
  Scratch scratch;
  Holding other(scratch.path());
  CHECK(DataLock::acquire(scratch.path()).error().why == LockRefusal::Why::held);
  other.kill();
  write_text(scratch / "file", "");
  CHECK(DataLock::acquire(scratch / "file").error().why == LockRefusal::Why::impossible);
}

TEST_CASE("data lock: it is given back at the end and moved with its owner") {
  Scratch scratch;
  {
    auto first = DataLock::acquire(scratch.path());
    REQUIRE(first.has_value());
    std::optional<DataLock> kept(std::move(*first));
    CHECK(kept->state().path() == scratch / ".arizuko-init");
    CHECK_FALSE(DataLock::acquire(scratch.path()).has_value());
  }
  CHECK(DataLock::acquire(scratch.path()).has_value());
}

TEST_CASE("data lock: the state directory is private and the holder's text complete") {
  Scratch scratch;
  const auto lock = DataLock::acquire(scratch / "deep/inside");
  REQUIRE(lock.has_value());
  struct stat info{};
  REQUIRE(::stat(lock->state().path().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == (::geteuid() == 0 ? 0711U : 0700U));  // root's daemons work below it
  const std::string text = read_text(lock->state().path("lock"));
  CHECK(text.starts_with("pid " + std::to_string(::getpid()) + "\nhost "));
  CHECK(text.contains("\nstart 20"));
  CHECK(text.ends_with("Z\n"));
}

TEST_CASE("data lock: a directory of another user is refused with owner, mode and cure (T15)") {
  arizuko::testing::needs_root();
  Scratch scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(1000, 1000, 1000) != 0 || ::setresuid(1000, 1000, 1000) != 0) ::_exit(9);
    const auto lock = DataLock::acquire(scratch.path());
    const bool good = !lock && lock.error().text.contains("uid 1000 cannot write") &&
                      lock.error().text.contains("(owner 0:0, mode 0700)") &&
                      lock.error().text.contains("chown it to 1000:1000, or set fsGroup");
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("data lock: a file where the directory should be is named") {
  Scratch scratch;
  write_text(scratch / "file", "");
  const auto lock = DataLock::acquire(scratch / "file");
  REQUIRE_FALSE(lock.has_value());
  CHECK(lock.error().text.contains(scratch / "file"));
}
