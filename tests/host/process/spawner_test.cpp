#include "arizuko/host/process/spawner.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filtered.hpp"
#include "host/host_test_tools.hpp"
#include "root.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

struct Outcome {
  int status = 0;
  std::string output;
};

/// Runs the child to its end with its two outputs in one pipe.
Outcome run(Spawner& spawner, ChildSpec spec) {
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  spec.out = pipe[1];
  spec.err = pipe[1];
  const auto child = spawner.spawn(spec);
  ::close(pipe[1]);
  Outcome outcome;
  if (!child) {
    ::close(pipe[0]);
    FAIL(to_text(child.error()));
  }
  char buffer[4096];
  for (ssize_t got; (got = ::read(pipe[0], buffer, sizeof buffer)) > 0;) {
    outcome.output.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  REQUIRE(::waitpid(*child, &outcome.status, 0) == *child);
  return outcome;
}

Outcome run(ChildSpec spec) {
  boost::asio::io_context io;
  Spawner spawner(io);
  return run(spawner, std::move(spec));
}

std::string field(const std::string& status, const std::string& name) {
  const std::size_t at = status.find(name + ":");
  if (at == status.npos) return "missing";
  const std::size_t from = status.find_first_not_of(" \t", at + name.size() + 1);
  return status.substr(from, status.find('\n', from) - from);
}

bool no_child_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

}  // namespace

TEST_CASE("spawn: the child has its arguments, its environment and nothing else of ours") {
  ::setenv("ARIZUKO_TEST_SECRET", "never", 1);
  ChildSpec spec;
  spec.executable = "/usr/bin/env";
  spec.argv = {"env"};
  spec.environment = {"ONE=1", "TWO=two words"};
  spec.cwd = "/";
  CHECK(run(spec).output == "ONE=1\nTWO=two words\n");
  ::unsetenv("ARIZUKO_TEST_SECRET");
}

TEST_CASE("spawn: the child leads a session of its own, in its directory, with umask 022") {
  Scratch scratch;
  ChildSpec spec = shell("pwd; umask; cut -d' ' -f1,5,6 /proc/$$/stat");
  spec.cwd = scratch.path();
  const mode_t before = ::umask(077);
  const Outcome outcome = run(spec);
  ::umask(before);
  std::istringstream lines(outcome.output);
  std::string folder, mask;
  pid_t pid = 0, group = 0, session = 0;
  lines >> folder >> mask >> pid >> group >> session;
  CHECK(folder == scratch.path());
  CHECK(mask == "0022");
  CHECK(pid == session);
  CHECK(pid == group);
}

TEST_CASE("spawn: ignored and blocked signals do not reach the child (T36)") {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGRTMAX, &ignore, nullptr);
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  ChildSpec spec = shell("");
  spec.executable = "/bin/cat";
  spec.argv = {"cat", "/proc/self/status"};
  const Outcome outcome = run(spec);
  CHECK(field(outcome.output, "SigBlk") == "0000000000000000");
  CHECK(field(outcome.output, "SigIgn") == "0000000000000000");
  CHECK(field(outcome.output, "NoNewPrivs") == "1");

  sigset_t now;
  ::sigprocmask(SIG_SETMASK, nullptr, &now);
  CHECK(::sigismember(&now, SIGTERM) == 1);  // ours is as it was
  CHECK(::sigismember(&now, SIGINT) == 0);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGHUP, SIG_DFL);
  ignore.sa_handler = SIG_DFL;
  ::sigaction(SIGRTMAX, &ignore, nullptr);
}

TEST_CASE("spawn: a signal that is changed between two children is known once the spawner is told") {
  boost::asio::io_context io;
  Spawner spawner(io);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGUSR1, [](int) {});
  spawner.dispositions_changed();
  ChildSpec spec = shell("");
  spec.executable = "/bin/cat";
  spec.argv = {"cat", "/proc/self/status"};
  const std::string status = run(spawner, spec).output;
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGUSR1, SIG_DFL);
  CHECK(field(status, "SigIgn") == "0000000000000000");
  CHECK(field(status, "SigCgt") == "0000000000000000");
}

TEST_CASE("spawn: a child that is killed before it executes was not started, and is not left") {
  const int result = run_filtered({SYS_chdir}, SECCOMP_RET_KILL_PROCESS, [] {
    const auto child = spawn(shell("exit 0"));
    if (child) return 1;
    if (to_text(child.error()) !=
        "entering the directory /: killed by SIGSYS before the program was executed")
      return 2;
    if (!child.error().passing()) return 3;
    return no_child_left() ? 0 : 4;
  });
  CHECK(result == 0);
}

TEST_CASE("spawn: only three descriptors reach the child, even those without close-on-exec") {
  const int stray = ::open("/dev/null", O_RDONLY);  // no O_CLOEXEC
  const int high = ::fcntl(stray, F_DUPFD, 200);
  const Outcome outcome = run(shell("ls /proc/$$/fd; readlink /proc/$$/fd/0"));
  ::close(stray);
  ::close(high);
  std::istringstream words(outcome.output);
  std::set<std::string> descriptors;
  for (std::string word; words >> word;) descriptors.insert(word);
  CHECK(descriptors == std::set<std::string>{"0", "1", "2", "/dev/null"});
}

TEST_CASE("spawn: output descriptors that are themselves 0, 1 or 2 arrive uncrossed") {
  Scratch scratch;
  const int saved[] = {::fcntl(0, F_DUPFD_CLOEXEC, 10), ::fcntl(1, F_DUPFD_CLOEXEC, 10),
                       ::fcntl(2, F_DUPFD_CLOEXEC, 10)};
  const int out = ::open((scratch / "out").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int err = ::open((scratch / "err").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::dup2(out, 2);  // the two crossed, and one on 0
  ::dup2(err, 0);
  ChildSpec spec = shell("echo to-out; echo to-err >&2");
  spec.out = 2;
  spec.err = 0;
  const auto child = spawn(spec);
  for (int i = 0; i < 3; ++i) ::dup2(saved[i], i);
  for (const int descriptor : {out, err, saved[0], saved[1], saved[2]}) ::close(descriptor);
  REQUIRE(child.has_value());
  ::waitpid(*child, nullptr, 0);
  CHECK(read_text(scratch / "out") == "to-out\n");
  CHECK(read_text(scratch / "err") == "to-err\n");
}

TEST_CASE("spawn: output that nobody wants goes to /dev/null") {
  Scratch scratch;
  const auto child = spawn(shell("readlink /proc/$$/fd/1 /proc/$$/fd/2 | cat > " + (scratch / "seen")));
  REQUIRE(child.has_value());
  ::waitpid(*child, nullptr, 0);
  CHECK(read_text(scratch / "seen") == "/dev/null\n/dev/null\n");
}

TEST_CASE("spawn: the limit of open files is set, the hard one is kept") {
  ChildSpec spec = shell("ulimit -Sn; ulimit -Hn");
  spec.nofile = 77;
  rlimit hard{};
  ::getrlimit(RLIMIT_NOFILE, &hard);
  CHECK(run(spec).output ==
        "77\n" + (hard.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(hard.rlim_max)) + "\n");
}

TEST_CASE("spawn: a failure names its stage and its subject, and leaves no child") {
  SUBCASE("no such program") {
    ChildSpec spec = shell("");
    spec.executable = "/no/such/gated";
    const auto child = spawn(spec);
    REQUIRE_FALSE(child.has_value());
    CHECK(child.error().stage == SpawnStage::executing);
    CHECK(to_text(child.error()) == "executing /no/such/gated: No such file or directory (ENOENT)");
    CHECK_FALSE(child.error().passing());
  }
  SUBCASE("no such directory") {
    ChildSpec spec = shell("");
    spec.cwd = "/no/such/folder";
    const auto child = spawn(spec);
    REQUIRE_FALSE(child.has_value());
    CHECK(to_text(child.error()) ==
          "entering the directory /no/such/folder: No such file or directory (ENOENT)");
  }
  SUBCASE("a file that may not be executed") {
    Scratch scratch;
    write_text(scratch / "gated", "x");
    ChildSpec spec = shell("");
    spec.executable = scratch / "gated";
    const auto child = spawn(spec);
    REQUIRE_FALSE(child.has_value());
    CHECK(to_text(child.error()).ends_with("Permission denied (EACCES): no execute permission: chmod +x"));
  }
  SUBCASE("a script whose interpreter is missing") {
    Scratch scratch;
    write_text(scratch / "whapd", "#!/usr/bin/no-node --flag\n");
    ::chmod((scratch / "whapd").c_str(), 0755);
    ChildSpec spec = shell("");
    spec.executable = scratch / "whapd";
    const auto child = spawn(spec);
    REQUIRE_FALSE(child.has_value());
    CHECK(to_text(child.error()).ends_with("its interpreter /usr/bin/no-node is not in this image"));
  }
  SUBCASE("a program for the other libc (T39)") {
    Scratch scratch;
    std::string program = read_text("/bin/ls");  // dynamic: names the glibc loader
    const std::size_t loader =
        std::min(program.find("/lib64/ld-linux-x86-64.so.2"), program.find("/lib/ld-linux-aarch64.so.1"));
    arizuko::testing::needs(loader != program.npos, "dynamic /bin/ls of x86-64 or arm64");
    program.replace(loader, 26, "/lib/ld-other-x86_64.so.1" + std::string(1, '\0'));
    write_text(scratch / "gated", program);
    ::chmod((scratch / "gated").c_str(), 0755);
    ChildSpec spec = shell("");
    spec.executable = scratch / "gated";
    const auto child = spawn(spec);
    REQUIRE_FALSE(child.has_value());
    CHECK(to_text(child.error())
              .contains("its loader /lib/ld-other-x86_64.so.1 is not: it was built for another libc"));
  }
  CHECK(no_child_left());
}

TEST_CASE("spawn: the user is switched where we are root, groups included") {
  arizuko::testing::needs_root();
  ChildSpec spec = shell("id -u; id -g; id -G");
  spec.uid = 1000;
  spec.gid = 1001;
  CHECK(run(spec).output == "1000\n1001\n1001\n");
}

TEST_CASE("spawn: a switched user has the groups that are given, and none of root's") {
  arizuko::testing::needs_root();
  ChildSpec spec = shell("id -u; id -g; id -G");
  spec.uid = 1000;
  spec.gid = 1000;
  spec.groups = {1000, 998};
  CHECK(run(spec).output == "1000\n1000\n1000 998\n");
}

TEST_CASE("spawn: a switched user can open its own outputs again by their names") {
  arizuko::testing::needs_root();
  ChildSpec spec = shell("echo one >/dev/stdout && echo two >/proc/self/fd/1 && echo three >/dev/stderr");
  spec.uid = 1000;
  spec.gid = 1000;
  CHECK(run(spec).output == "one\ntwo\nthree\n");
}

TEST_CASE("spawn: a program whose capabilities are not available says so, and what takes them off") {
  CHECK(to_text(SpawnError{SpawnStage::executing, EPERM, "/x"})
            .ends_with(
                "(EPERM): the file has capabilities (setcap) that this container does not have, and a child "
                "never gets more privileges (no_new_privs): take them off with setcap -r"));
}

TEST_CASE("spawn: the umask is the plan's, whatever arizuko-init has") {
  const mode_t before = ::umask(0);
  ChildSpec spec = shell("umask");
  CHECK(run(spec).output == "0022\n");
  spec.umask = 077;
  CHECK(run(spec).output == "0077\n");
  ::umask(before);
}

TEST_CASE("spawn: asking for the user we are needs no privilege") {
  ChildSpec spec = shell("id -u");
  spec.uid = ::geteuid();
  spec.gid = ::getegid();
  CHECK(run(spec).output == std::to_string(::geteuid()) + "\n");
}

TEST_CASE("spawn: a thousand children in a row leak no descriptor and damage nothing of ours") {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  boost::asio::io_context io;
  Spawner spawner(io);
  ChildSpec spec;
  spec.executable = "/bin/true";
  spec.argv = {"true"};
  spec.cwd = "/";
  (void)run(spawner, spec);
  const auto before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    spec.executable = i % 10 == 0 ? "/no/such" : "/bin/true";
    const auto child = spawner.spawn(spec);
    REQUIRE(child.has_value() == (i % 10 != 0));
    int status = -1;
    if (child) REQUIRE(::waitpid(*child, &status, 0) == *child);
    if (child) CHECK(status == 0);
  }
  CHECK(open_descriptors() == before);
  CHECK(no_child_left());
}

// What container engines and old kernels refuse

namespace {
int refused(std::vector<long> calls, const std::function<int()>& body) {
  return run_filtered(calls, SECCOMP_RET_ERRNO | ENOSYS, body);
}
}  // namespace

TEST_CASE("spawn: without close_range only three descriptors reach the child all the same") {
  const int result = refused({SYS_close_range}, [] {
    const int stray = ::fcntl(0, F_DUPFD, 300);  // no O_CLOEXEC
    if (stray < 0 || ::syscall(SYS_close_range, 0U, 0U, 0U) == 0) return 1;
    return run(shell("echo /proc/self/fd/*")).output ==
                   "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n"  // 3: the folder
                                                                                        // itself
               ? 0
               : 2;
  });
  CHECK(result == 0);
}

TEST_CASE("spawn: a refused pidfd_open loses no child") {
  CHECK(refused({SYS_pidfd_open}, [] { return run(shell("echo here")).output == "here\n" ? 0 : 1; }) == 0);
}

TEST_CASE("spawn: a child that cannot be born in its control group goes there first of all") {
  Scratch group;
  write_text(group / "cgroup.procs", "");
  const auto goes = [&](const ChildSpec& spec) {
    if (run(spec).output != "0\n") return 1;
    return read_text(group / "cgroup.procs") == "0" ? 0 : 2;
  };
  ChildSpec spec = shell("cat " + group.path() + "/cgroup.procs; echo");
  spec.group = ::open(group.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  SUBCASE("because it is none of the second kind") { CHECK(goes(spec) == 0); }
  SUBCASE("because clone3 is refused") {
    CHECK(refused({SYS_clone3}, [&] { return goes(spec); }) == 0);
  }
  ::close(spec.group);
  spec.group = ::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto child = spawn(spec);
  ::close(spec.group);
  REQUIRE_FALSE(child.has_value());
  CHECK(to_text(child.error()) == "joining the control group: No such file or directory (ENOENT)");
  CHECK(no_child_left());
}
