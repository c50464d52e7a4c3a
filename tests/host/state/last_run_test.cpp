#include "arizuko/host/state/last_run.hpp"

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host_test_tools.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

/// A process with the mark of a run whose supervisor is gone: its parent has ended, and its environment is
/// empty.
class Orphan {
 public:
  explicit Orphan(std::uint32_t instance) {
    // Whom other tests have made a reaper: it would be our child.
    ::prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    int told[2];
    REQUIRE(::pipe(told) == 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const pid_t child = ::fork();
      if (child == 0) {
        rlimit64 limit{limit_mark(run_mark("gated", 1, instance)), RLIM64_INFINITY};
        ::setrlimit64(RLIMIT_RTTIME, &limit);
        ::setsid();
        const pid_t self = ::getpid();
        (void)!::write(told[1], &self, sizeof self);
        char* const argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
        char* const none[] = {nullptr};
        ::execve("/bin/sleep", argv, none);
        ::_exit(127);
      }
      ::_exit(0);
    }
    REQUIRE(::read(told[0], &pid, sizeof pid) == sizeof pid);
    ::waitpid(parent, nullptr, 0);
    ::close(told[0]);
    ::close(told[1]);
    REQUIRE(eventually([&] { return mark_of(pid).has_value(); }));
  }
  ~Orphan() {
    ::kill(pid, SIGKILL);
    ::prctl(PR_SET_CHILD_SUBREAPER, reaper, 0, 0, 0);
  }
  Orphan(const Orphan&) = delete;
  Orphan& operator=(const Orphan&) = delete;
  pid_t pid = 0;
  int reaper = 0;
};

bool holds(const std::vector<MarkedProcess>& list, pid_t pid) {
  return std::ranges::find(list, pid, &MarkedProcess::pid) != list.end();
}

}  // namespace

TEST_CASE("last run: a mark names service, run and data directory, and the limit repeats it") {
  CHECK(run_mark("gated", 3, 0xa1b2c3) == "gated/3/0a1b2c3");
  CHECK(limit_mark("gated/3/0a1b2c3") != limit_mark("gated/4/0a1b2c3"));
  CHECK((limit_mark("gated/3/0a1b2c3") >> 28 & 0xfffffff) == 0xa1b2c3);
  CHECK((limit_mark("gated/3") >> 28 & 0xfffffff) == 0);
  CHECK((limit_mark("gated/3/notahex") >> 28 & 0xfffffff) == 0);
}

TEST_CASE("last run: two data directories are two instances, and none is no instance") {
  Scratch one;
  Scratch two;
  CHECK(instance_mark(one.path()) == instance_mark(one.path() + "/."));
  CHECK(instance_mark(one.path()) != instance_mark(two.path()));
  CHECK(instance_mark(one.path() + "/nothing") == 0);
}

TEST_CASE("last run: what a dead supervisor left is found by its mark alone, without an environment") {
  Scratch here;
  Scratch elsewhere;
  const std::uint32_t instance = instance_mark(here.path());
  Orphan orphan(instance);
  CHECK(holds(left_by_last_run(instance), orphan.pid));
  CHECK_FALSE(holds(left_by_last_run(instance_mark(elsewhere.path())), orphan.pid));
  CHECK(run_of(orphan.pid, instance, 0) == RunOf::dead_run);
  CHECK(run_of(orphan.pid, instance, ::getpid()) == RunOf::dead_run);
  CHECK(run_of(orphan.pid, instance_mark(elsewhere.path()), 0) == RunOf::dead_run);
  CHECK(run_of(::getpid(), instance, 0) == RunOf::nobody);
  CHECK(to_text(left_by_last_run(instance)).contains("sleep (pid " + std::to_string(orphan.pid) + ")"));
}

TEST_CASE(
    "last run: another arizuko-init that lives has its own, and may hold what a dead one of ours left") {
  Scratch here;
  Scratch elsewhere;
  const std::uint32_t instance = instance_mark(here.path());
  const pid_t other = ::fork();
  if (other == 0) {
    ::prctl(PR_SET_NAME, "arizuko-init");
    rlimit64 limit{limit_mark(run_mark("gated", 1, instance)), RLIM64_INFINITY};
    ::setrlimit64(RLIMIT_RTTIME, &limit);
    ::pause();
    ::_exit(0);
  }
  REQUIRE(eventually([&] { return mark_of(other).has_value(); }));
  CHECK(run_of(other, instance_mark(elsewhere.path()), 0) == RunOf::another_instance);
  CHECK(run_of(other, instance, 0) == RunOf::dead_run);
  CHECK(run_of(other, instance, 0x3fffffff) == RunOf::untold);  // no such process
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
}

TEST_CASE("last run: what descends from the living supervisor is its own, and not left by anybody") {
  Scratch here;
  const std::uint32_t instance = instance_mark(here.path());
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit64 limit{limit_mark(run_mark("gated", 1, instance)), RLIM64_INFINITY};
    ::setrlimit64(RLIMIT_RTTIME, &limit);
    ::pause();
    ::_exit(0);
  }
  REQUIRE(eventually([&] { return mark_of(child).has_value(); }));
  CHECK(run_of(child, instance, ::getpid()) == RunOf::living_run);
  CHECK_FALSE(holds(left_by_last_run(instance), child));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("last run: what is signalled ends, stopped or not") {
  Scratch here;
  const std::uint32_t instance = instance_mark(here.path());
  Orphan orphan(instance);
  ::kill(orphan.pid, SIGSTOP);
  CHECK(out_of_reach(left_by_last_run(instance)).empty());
  signal_left(left_by_last_run(instance), SIGTERM);
  CHECK(eventually([&] { return left_by_last_run(instance).empty(); }));
}
