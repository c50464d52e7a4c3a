// Who runs on the data directory, and what an earlier run left alive.
#include <doctest/doctest.h>

#include <csignal>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/process/run_mark.hpp"
#include "arizuko/host/state/data_lock.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("doctor: beside a running instance it says who runs, and takes nothing away from it") {
  const World world;
  CHECK(heads(check_lock(world.context())) == Heads{});
  const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  REQUIRE(lock);
  const Finding found = only(check_lock(world.context()));
  CHECK(found.severity == Severity::note);
  CHECK(has(found.what, fmt::format("arizuko-init with pid {} on host ", ::getpid())));
  CHECK_FALSE(host::DataLock::acquire(world.plan.pod.data_dir));
}

TEST_CASE("doctor: after it looked, an instance can start") {
  const World world;
  {
    const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  }
  CHECK(heads(check_lock(world.context())) == Heads{});
  CHECK(host::DataLock::acquire(world.plan.pod.data_dir));
}

TEST_CASE("doctor: an instance of another host on the volume is an error (T25)") {
  const World world;
  const std::string path =
      world.write("data/.arizuko-init/lock", "pid 7\nhost arizuko-old\nstart 2026-11-22T20:39:00Z\n");
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(file, LOCK_EX | LOCK_NB) == 0);
  const Finding found = only(check_lock(world.context()));
  ::close(file);
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "pid 7 on host arizuko-old since 2026-11-22T20:39:00Z holds this data directory"));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: an instance whose lock file a daemon deleted still runs here") {
  const World world;
  const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  ::unlink((world.plan.pod.data_dir + "/.arizuko-init/lock").c_str());
  CHECK_FALSE(heads(check_lock(world.context())) == Heads{});
}

TEST_CASE(
    "doctor: what a dead run left alive is an error that names it, and no child of the running instance") {
  const World world;
  CHECK(heads(check_last_run(world.context())) == Heads{});
  const std::string mark = host::run_mark("gated", 1, host::instance_mark(world.plan.pod.data_dir));
  const pid_t left = ::fork();
  if (left == 0) {
    const rlimit64 limit{host::limit_mark(mark), RLIM64_INFINITY};
    ::setrlimit64(RLIMIT_RTTIME, &limit);
    ::pause();
    ::_exit(0);
  }
  while (!host::mark_of(left)) ::usleep(1000);
  const Finding found = only(check_last_run(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, fmt::format("(pid {})", left)));
  {
    const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);  // by this process, whose child it is
    CHECK(heads(check_last_run(world.context())) == Heads{});
  }
  ::kill(left, SIGKILL);
  ::waitpid(left, nullptr, 0);
}
