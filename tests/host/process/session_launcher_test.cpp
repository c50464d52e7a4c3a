// The launcher and what it promises to children and to us. Each promise was tried with a fault of its own,
// planted in the sources: see the names of the tests.
#include "host/process/session_launcher.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/process/v2/bind_launcher.hpp>
#include <boost/process/v2/posix/bind_fd.hpp>

#include <doctest/doctest.h>

#include "allocations.hpp"
#include "filtered.hpp"
#include "host/host_test_tools.hpp"
#include "host/process/child_setup.hpp"

namespace arizuko::host {
namespace {

namespace asio = boost::asio;
using namespace testing;  // NOLINT: a test about nothing else
using Error = SessionLauncher::Error;
using Path = SessionLauncher::Path;
using Words = std::vector<std::string>;

// What the launcher does not know does not compile as an initializer.
static_assert(descriptors_of<decltype(process::posix::bind_fd(7, 1))> == Descriptors::unknown);

// --- Initializers

struct Failing {
  static constexpr Descriptors descriptors = Descriptors::none;
  static constexpr SpawnStage stage = SpawnStage::dropping_privileges;
  int* told;
  Error on_exec_setup(SessionLauncher&, const Path&, const char* const*) noexcept {
    return {ELOOP, boost::system::system_category()};
  }
  void on_error(SessionLauncher&, const Path&, const char* const*, const Error& error) {
    *told = error.value();
  }
};

struct Dying {
  static constexpr Descriptors descriptors = Descriptors::none;
  static constexpr SpawnStage stage = SpawnStage::dropping_privileges;
  Error on_exec_setup(SessionLauncher&, const Path&, const char* const*) noexcept {
    ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
    return {};
  }
};

struct Counting {
  static constexpr Descriptors descriptors = Descriptors::none;
  static constexpr SpawnStage stage = SpawnStage::dropping_privileges;
  int setup = 0, in_child = 0, success = 0, error = 0, exec_error = 0;
  Error on_setup(SessionLauncher&, const Path&, const char* const*) { return ++setup, Error{}; }
  Error on_exec_setup(SessionLauncher&, const Path&, const char* const*) noexcept {
    return ++in_child, Error{};
  }
  void on_success(SessionLauncher&, const Path&, const char* const*) { ++success; }
  void on_error(SessionLauncher&, const Path&, const char* const*, const Error&) { ++error; }
  void on_exec_error(SessionLauncher&, const Path&, const char* const*, const Error&) noexcept {
    ++exec_error;
  }
};

// --- Children

// What has reached it, by builtins of the shell alone; ends with 7.
constexpr const char* report =
    "pwd; echo \"X=$X\"; echo \"args=$0 $*\"; echo /proc/self/fd/*; ulimit -Sn\n"
    "read -r pid comm state parent group session rest </proc/self/stat; [ $pid = $session ] && echo leads\n"
    "while read -r name value rest; do case $name in\n"
    "SigBlk:|SigIgn:|SigCgt:|NoNewPrivs:|Uid:|Gid:) echo $name $value;; esac; done </proc/self/status; exit "
    "7";

const Words report_words = {"-c", report, "zero", "one"};
const Words environment = {"X=42"};

int reap(pid_t pid) {
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

template <class Process>
int let_go(Process&& started) {
  const pid_t pid = started.id();
  started.detach();
  return reap(pid);
}

bool no_child_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

std::string all_of(int descriptor) {
  ::fcntl(descriptor, F_SETFL, 0);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(descriptor, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

/// Number, and the file behind it.
std::map<int, std::pair<dev_t, ino_t>> descriptors() {
  std::map<int, std::pair<dev_t, ino_t>> result;
  for (int descriptor = 0; descriptor < 400; ++descriptor) {
    struct stat info{};
    if (::fstat(descriptor, &info) == 0) result[descriptor] = {info.st_dev, info.st_ino};
  }
  return result;
}

struct Fixture {
  asio::io_context io{1};
  asio::signal_set ours{io, SIGCHLD, SIGTERM};
  SpawnPlaces places;
  Cloner cloner;
  SessionLauncher launcher{cloner};
  Error error;
  Fixture() { launcher.reset_signals = changed_signals(); }
};

struct Ends {
  int read_end, write_end;
  Ends() {
    int both[2];
    REQUIRE(::pipe2(both, O_CLOEXEC) == 0);
    read_end = both[0], write_end = both[1];
  }
  std::string rest() {
    ::close(write_end);
    std::string text = all_of(read_end);
    ::close(read_end);
    return text;
  }
};

ChildSpec spec_of(int output) {
  ChildSpec spec;
  spec.cwd = "/usr";
  spec.out = spec.err = output;
  return spec;
}

/// 20 times, for what one leaves behind shows at the next.
template <class... Inits>
bool fails(Fixture& each, const Path& executable, SpawnStage stage, int number, Inits&&... inits) {
  for (int i = 0; i < 20; ++i) {
    errno = 4242;
    auto started = each.launcher(each.io.get_executor(), each.error, executable, Words{}, inits...);
    CHECK(errno == 4242);
    CHECK(started.id() == -1);
    CHECK(each.error.value() == number);
    CHECK(each.launcher.progress.failed);
    CHECK(to_text(each.launcher.progress.stage) == to_text(stage));
    CHECK(no_child_left());
  }
  return true;
}

}  // namespace

TEST_CASE("session launcher: the initializers of the library work, on a copy of our descriptors") {
  Fixture each;
  const auto before = descriptors();
  for (int i = 0; i < 50; ++i) {
    asio::readable_pipe out{each.io};
    process::process_stdio stdio{nullptr, out, Path("/dev/null")};
    auto started =
        each.launcher(each.io.get_executor(), each.error, "/bin/sh", report_words,
                      process::process_environment(environment), process::process_start_dir("/usr"), stdio);
    const pid_t pid = started.id();
    started.detach();
    REQUIRE_FALSE(each.error);
    CHECK(each.launcher.birth.table == Table::copied);
    ::close(std::exchange(stdio.out.fd, -1));
    stdio.out.fd_needs_closing = false;
    const std::string text = all_of(out.native_handle());
    CHECK(
        text.starts_with("/usr\nX=42\nargs=zero one\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
                         "/proc/self/fd/3\n"));  // 3: the folder itself
    CHECK(text.contains("SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n"));
    REQUIRE(reap(pid) == 7);
  }
  CHECK(descriptors() == before);
}

TEST_CASE("session launcher: child setup keeps each promise, and the table is not copied") {
  Fixture each;
  REQUIRE(each.places.first_foreign() != 0);
  const auto before = descriptors();
  for (int i = 0; i < 50; ++i) {
    Ends ends;
    ChildSpec spec = spec_of(ends.write_end);
    spec.nofile = 77;
    errno = 4242;
    auto started = each.launcher(each.io, each.error, "/bin/sh", report_words, ChildSetup(each.places, spec),
                                 process::process_environment(environment));
    CHECK(errno == 4242);
    const pid_t pid = started.id();
    started.detach();
    CHECK(each.launcher.birth.table == Table::shared);
    const std::string text = ends.rest();
    CHECK(
        text.starts_with("/usr\nX=42\nargs=zero one\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
                         "/proc/self/fd/3\n77\nleads\n"));
    CHECK(text.contains("SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n"));
    CHECK(text.contains("NoNewPrivs: 1\n"));
    REQUIRE(reap(pid) == 7);
  }
  CHECK(descriptors() == before);
}

TEST_CASE("session launcher: nothing of our environment reaches a child that was given none") {
  Fixture each;
  Ends ends;
  ::setenv("ARIZUKO_TEST_SECRET", "never", 1);
  const ChildSpec spec = spec_of(ends.write_end);
  CHECK(let_go(each.launcher(each.io, each.error, "/usr/bin/env", Words{}, ChildSetup(each.places, spec))) ==
        0);
  ::unsetenv("ARIZUKO_TEST_SECRET");
  CHECK(ends.rest() == "");
}

TEST_CASE("session launcher: what was changed is set back in the child, and what is left out is not") {
  std::signal(SIGPIPE, SIG_IGN);
  Fixture each;
  const SignalBits pipe = SignalBits{1} << (SIGPIPE - 1);
  CHECK((each.launcher.reset_signals & pipe) != 0);
  for (const bool left_out : {false, true}) {
    Ends ends;
    const ChildSpec spec = spec_of(ends.write_end);
    if (left_out) each.launcher.reset_signals &= ~pipe;
    let_go(each.launcher(each.io, each.error, "/bin/cat", Words{"/proc/self/status"},
                         ChildSetup(each.places, spec)));
    CHECK(ends.rest().contains(left_out ? "SigIgn:\t0000000000001000" : "SigIgn:\t0000000000000000"));
  }
  std::signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("session launcher: each failure names its stage, keeps errno and leaves no child") {
  Fixture each;
  const ChildSpec plain;
  const Path gone = "/no/such/file", quick = "/bin/true";
  const process::process_environment given(environment);
  SUBCASE("no such file") {
    fails(each, gone, SpawnStage::executing, ENOENT, ChildSetup(each.places, plain));
  }
  SUBCASE("a directory") {
    fails(each, "/usr", SpawnStage::executing, EACCES, ChildSetup(each.places, plain));
  }
  SUBCASE("not executable") {
    fails(each, "/etc/passwd", SpawnStage::executing, EACCES, ChildSetup(each.places, plain));
  }
  SUBCASE("no such directory") {
    ChildSpec spec;
    spec.cwd = "/no/such/folder";
    fails(each, quick, SpawnStage::entering_the_directory, ENOENT, ChildSetup(each.places, spec));
  }
  SUBCASE("a limit above what the kernel has") {
    ChildSpec spec;
    spec.nofile = std::uint64_t{1} << 40;
    fails(each, quick, SpawnStage::setting_limits, EPERM, ChildSetup(each.places, spec));
  }
  SUBCASE("an output that is not open") {
    ChildSpec spec;
    spec.out = 999;
    fails(each, quick, SpawnStage::placing_descriptors, EBADF, ChildSetup(each.places, spec));
  }
  SUBCASE("no such file, with the initializers of the library") {
    process::process_environment variables(environment);
    process::process_start_dir folder("/");
    fails(each, gone, SpawnStage::executing, ENOENT, variables, folder);
  }
  SUBCASE("no such directory, by the initializer of the library") {
    process::process_start_dir folder("/no/such");
    fails(each, quick, SpawnStage::entering_the_directory, ENOENT, folder);
  }
  SUBCASE("an input that cannot be opened, by the initializer of the library") {
    process::process_stdio stdio{nullptr, Path("/no/such/file"), nullptr};
    fails(each, quick, SpawnStage::placing_descriptors, EBADF, stdio);
  }
  SUBCASE("an initializer that fails, and is told of it") {
    int told = 0;
    Failing failing{&told};
    fails(each, quick, SpawnStage::dropping_privileges, ELOOP, ChildSetup(each.places, plain), failing);
    CHECK(told == ELOOP);
  }
  SUBCASE("a child that is killed before it executes") {
    fails(each, quick, SpawnStage::dropping_privileges, ECHILD, ChildSetup(each.places, plain), Dying{});
    CHECK(each.launcher.progress.killed_by == SIGKILL);
  }
  SUBCASE("a control group that is none") {
    each.launcher.birth.group = 0;
    fails(each, quick, SpawnStage::joining_the_control_group, ENOTDIR, ChildSetup(each.places, plain));
  }
}

TEST_CASE("session launcher: initializers are told what the documentation says they are") {
  Fixture each;
  Counting failed, succeeded;
  each.launcher(each.io, each.error, "/no/such/file", Words{}, failed);
  CHECK((failed.setup == 1 && failed.in_child == 1 && failed.error == 1 && failed.exec_error == 1));
  CHECK(failed.success == 0);
  let_go(each.launcher(each.io, each.error, "/bin/true", Words{}, succeeded));
  CHECK((succeeded.setup == 1 && succeeded.in_child == 1 && succeeded.success == 1));
  CHECK((succeeded.error == 0 && succeeded.exec_error == 0));
}

TEST_CASE("session launcher: it is called as every launcher is") {
  Fixture each;
  const ChildSpec plain;
  auto& [io, ours, places, cloner, launcher, error] = each;
  const Words exits = {"-c", "exit 5"};
  SUBCASE("what it throws says the stage") {
    try {
      launcher(io, "/no/such/file", exits, ChildSetup(places, plain));
      FAIL("it did not throw");
    } catch (const boost::system::system_error& thrown) {
      CHECK(thrown.code().value() == ENOENT);
      CHECK(std::string(thrown.what()).starts_with("executing"));
    }
    CHECK_THROWS_AS(launcher(io.get_executor(), "/no/such/file", exits, ChildSetup(places, plain)),
                    boost::system::system_error);
    CHECK_NOTHROW(launcher(io, error, "/no/such/file", exits, ChildSetup(places, plain)));
    CHECK(error.value() == ENOENT);
  }
  SUBCASE("twice, each time with the command of that time") {
    const Words others = {"-c", "exit 6"};
    CHECK(let_go(launcher(io, error, "/bin/sh", exits, ChildSetup(places, plain))) == 5);
    CHECK(let_go(launcher(io, error, "/bin/sh", others, ChildSetup(places, plain))) == 6);
  }
  SUBCASE("with a list of arguments, and bound") {
    CHECK(let_go(launcher(io.get_executor(), error, "/bin/sh",
                          std::initializer_list<process::string_view>{"-c", "exit 8"},
                          ChildSetup(places, plain))) == 8);
    auto bound = process::bind_launcher(SessionLauncher(cloner), ChildSetup(places, plain));
    CHECK(let_go(bound(io.get_executor(), error, "/bin/sh", exits)) == 5);
  }
  SUBCASE("with arguments that are ready, whose first need not be the path") {
    Ends ends;
    const ChildSpec spec = spec_of(ends.write_end);
    const char* argv[] = {"another name", "-c", "read -r all </proc/self/cmdline; echo \"$all\"", nullptr};
    CHECK(let_go(launcher(io, error, "/bin/sh", static_cast<const char**>(argv), ChildSetup(places, spec))) ==
          0);
    CHECK(ends.rest().starts_with("another name"));
  }
}

// ---------------------------------------------------------------------------------------------
// What is ours stays as it is

namespace {

volatile int handler_runs = 0;
volatile int handler_runs_in_child = 0;
volatile long storm_target = 0;

__attribute__((no_sanitize("address"))) void on_urgent(int) {
  handler_runs = handler_runs + 1;
  if (::syscall(SYS_getpid) != storm_target) handler_runs_in_child = handler_runs_in_child + 1;
}

// SIGURG, again and again, to all of this process group: also to a child that has not executed yet.
pid_t begin_storm() {
  struct sigaction action{};
  action.sa_handler = on_urgent;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGURG, &action, nullptr);
  const pid_t target = ::getpid();
  storm_target = target;
  const pid_t storm = ::fork();
  if (storm != 0) return storm;
  std::signal(SIGURG, SIG_IGN);
  while (::getppid() == target) {
    ::kill(0, SIGURG);
    ::usleep(1);
  }
  ::_exit(0);
}

int launch_in_a_storm() {
  ::setpgid(0, 0);
  sigset_t nothing;  // a Supervisor of another test blocks most signals
  ::sigemptyset(&nothing);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  const pid_t storm = begin_storm();
  Fixture each;
  const ChildSpec plain;
  const Path none = "/no/such/file";
  for (int i = 0; i < 2000 && (i < 300 || handler_runs < 300); ++i) {
    Counting counting;
    auto failed = each.launcher(each.io, each.error, none, Words{}, counting);
    if (failed.id() != -1) return 1;
    sigset_t mask;
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    if (::sigismember(&mask, SIGURG) == 1) return 5;  // the storm would not reach us any more
    // The session of a child is its own before it opens its mask: this one stays in the storm.
    const int ended = let_go(each.launcher(each.io, each.error, "/bin/true", Words{}, counting));
    if (ended != 0) return 2;
    let_go(each.launcher(each.io, each.error, "/bin/true", Words{}, ChildSetup(each.places, plain)));
  }
  ::kill(storm, SIGKILL);
  ::waitpid(storm, nullptr, 0);
  if (handler_runs_in_child != 0) return 3;
  return handler_runs < 300 ? 4 : 0;
}

}  // namespace

TEST_CASE("session launcher: in a storm of signals no handler of ours runs in a child") {
  CHECK(run_filtered({}, 0, launch_in_a_storm) == 0);
}

TEST_CASE("session launcher: a child allocates nothing, however it ends") {
  Fixture each;
  const ChildSpec plain;
  const Path gone = "/no/such/file", quick = "/bin/true";
  process::process_environment variables(environment);
  Counting counting;
  watch_allocations_of_children();
  each.launcher(each.io, each.error, gone, Words{}, ChildSetup(each.places, plain), variables, counting);
  let_go(each.launcher(each.io, each.error, quick, Words{}, ChildSetup(each.places, plain), variables));
  process::process_stdio stdio{nullptr, nullptr, nullptr};
  let_go(each.launcher(each.io, each.error, quick, Words{}, stdio, process::process_start_dir("/")));
  CHECK(allocations_of_children() == 0);
}

TEST_CASE("session launcher: mask, dispositions, what waits in the loop and exit handlers stay as they are") {
  static volatile int exit_handlers = 0;
  static const bool registered = std::atexit([] { exit_handlers = exit_handlers + 1; }) == 0;
  REQUIRE(registered);
  Fixture each;
  asio::readable_pipe reading{each.io};
  asio::writable_pipe writing{each.io};
  asio::connect_pipe(reading, writing);
  char buffer[8];
  int reads = 0, timers = 0;
  reading.async_read_some(asio::buffer(buffer),
                          [&](const Error& error, std::size_t) { reads += error ? 0 : 1; });
  asio::steady_timer timer(each.io, std::chrono::milliseconds(1));
  timer.async_wait([&](const Error& error) { timers += error ? 0 : 1; });
  each.io.poll();

  sigset_t blocked, before, after;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::sigprocmask(SIG_SETMASK, &blocked, &before);
  const SignalBits changed = changed_signals();
  const ChildSpec plain;
  for (int i = 0; i < 20; ++i) {
    each.launcher(each.io, each.error, "/no/such/file", Words{}, ChildSetup(each.places, plain));
    let_go(each.launcher(each.io, each.error, "/bin/true", Words{}, ChildSetup(each.places, plain)));
  }
  ::sigprocmask(SIG_SETMASK, &before, &after);
  CHECK(std::memcmp(&after, &blocked, 8) == 0);
  CHECK(changed_signals() == changed);
  CHECK(exit_handlers == 0);
  CHECK(::write(writing.native_handle(), "x", 1) == 1);
  CHECK(eventually([&] {
    each.io.restart();
    each.io.poll();
    return reads == 1 && timers == 1;
  }));
}

}  // namespace arizuko::host
