#include "arizuko/host/process/process_table.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/process/spawner.hpp"
#include "host/host_test_tools.hpp"
#include "host/process/proc_fs.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

/// A table whose children are all gone when it goes.
struct World {
  World() { REQUIRE(ProcessTable::become_reaper()); }
  ~World() {
    for (const RunKey& run : runs) {
      table.signal_main(run, SIGKILL);
      table.signal_leftovers(run, SIGKILL);
      table.forget(run);
    }
    CHECK(eventually([&] {
      table.kill_strays();
      table.reap();
      return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
    }));
  }

  enum class Limit { unmarked, marked };

  pid_t start(RunKey run, const std::string& script, Limit limit = Limit::unmarked) {
    std::string mark = std::to_string(run.service) + "/" + std::to_string(run.number);
    if (run.is_check()) mark += "." + std::to_string(run.check);
    ChildSpec spec = shell(script, {std::string(mark_variable) + "=" + mark});
    if (limit == Limit::marked) spec.limit_mark = limit_mark(mark);
    const auto child = spawn(spec);
    REQUIRE(child.has_value());
    table.add(run, *child, mark);
    runs.push_back(run);
    return *child;
  }
  /// Reaps until the main process of `run` has ended; returns its wait status.
  int await_main(RunKey run) {
    int status = -1;
    CHECK(eventually([&] {
      for (const Reaped& one : table.reap()) {
        if (one.main == run) {
          status = one.wait_status;
          return true;
        }
      }
      return false;
    }));
    return status;
  }
  bool empties(RunKey run) {
    return eventually([&] {
      table.reap();
      return table.leftovers(run).empty();
    });
  }

  ProcessTable table;
  std::vector<RunKey> runs;
};

pid_t await_pid(const std::string& path) {
  CHECK(eventually([&] { return read_text(path).ends_with("\n"); }));
  return std::stoi(read_text(path));
}

constexpr RunKey one{{1, 1}};
constexpr RunKey two{{2, 1}};

}  // namespace

TEST_CASE("process table: a main process that ends is reported with its run and its status") {
  World world;
  const pid_t pid = world.start(one, "exit 7");
  std::vector<Reaped> ended;
  REQUIRE(eventually([&] { return !(ended = world.table.reap()).empty(); }));
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].pid == pid);
  CHECK(ended[0].main == one);
  CHECK(WEXITSTATUS(ended[0].wait_status) == 7);
  CHECK(world.table.leftovers(one).empty());
  CHECK(world.table.members(one).empty());
  CHECK(world.table.orphans_reaped() == 0);
}

TEST_CASE("process table: the child of a dead main process is a leftover until it is gone (T21)") {
  World world;
  Scratch scratch;
  world.start(one, "sleep 1000 & echo $! > " + (scratch / "pid"));
  world.start(two, "exec sleep 1000");
  const pid_t sleeper = await_pid(scratch / "pid");
  CHECK(eventually([&] { return read_stat(sleeper)->name == "sleep"; }));
  world.await_main(one);
  const auto leftovers = world.table.leftovers(one);
  REQUIRE(leftovers.size() == 1);
  CHECK(leftovers[0].pid == sleeper);
  CHECK(leftovers[0].name == "sleep");
  CHECK(world.table.leftovers(two).empty());
  CHECK(world.table.owner_of(sleeper) == one);
  CHECK(world.table.signal_leftovers(one, SIGTERM) == 1);
  CHECK(world.empties(one));
  // It is no leftover any more from the moment it is a zombie; reaped it may be a moment later.
  CHECK(eventually([&] { return world.table.reap(), world.table.orphans_reaped() == 1; }));
}

TEST_CASE("process table: a daemon that forked twice and left its session is still found") {
  World world;
  Scratch scratch;
  SUBCASE("while its main process lives") {
    world.start(one, "setsid sh -c 'sh -c \"echo \\$\\$ > " + (scratch / "pid") +
                         "; exec sleep 1000\" & exit 0' & wait; exec sleep 1000");
    const pid_t daemon = await_pid(scratch / "pid");
    CHECK(eventually([&] { return read_stat(daemon)->parent == ::getpid(); }));
    const auto members = world.table.members(one);
    CHECK(std::ranges::find(members, daemon) != members.end());
    CHECK(world.table.owner_of(daemon) == one);
  }
  SUBCASE("after its main process has ended") {
    world.start(one, "setsid setsid -f sh -c 'echo $$ > " + (scratch / "pid") + "; exec sleep 1000'");
    const pid_t daemon = await_pid(scratch / "pid");
    world.await_main(one);
    REQUIRE(eventually([&] { return world.table.reap(), world.table.leftovers(one).size() == 1; }));
    CHECK(world.table.leftovers(one)[0].pid == daemon);
    CHECK(world.table.signal_leftovers(one, SIGKILL) == 1);
    CHECK(world.empties(one));
  }
}

TEST_CASE("process table: a child that left the session of a living main process is its own") {
  World world;
  Scratch scratch;
  const pid_t main =
      world.start(one, "setsid sh -c 'echo $$ > " + (scratch / "pid") + "; sleep 1000; :' & wait");
  const pid_t runaway = await_pid(scratch / "pid");
  std::vector<pid_t> members;
  CHECK(eventually([&] { return (members = world.table.members(one)).size() == 3; }));
  CHECK(members[0] == main);
  CHECK(members[1] == runaway);
  CHECK(world.table.owner_of(members[2]) == one);
  CHECK(world.table.owner_of(main) == one);
  CHECK_FALSE(world.table.owner_of(::getpid()).has_value());
}

TEST_CASE("process table: without session and mark it is known by the parent it was seen with") {
  World world;
  Scratch scratch;
  world.start(one, "env -i setsid sh -c 'echo $$ > " + (scratch / "pid") + "; exec sleep 1000' & wait");
  const pid_t nameless = await_pid(scratch / "pid");
  SUBCASE("seen before: attributed") {
    CHECK(world.table.members(one).size() >= 2);
    world.table.signal_main(one, SIGKILL);
    world.await_main(one);
    REQUIRE(world.table.leftovers(one).size() == 1);
    CHECK(world.table.leftovers(one)[0].pid == nameless);
  }
  SUBCASE("never seen: a stray, ended at the very end") {
    world.table.signal_main(one, SIGKILL);
    world.await_main(one);
    CHECK(world.table.leftovers(one).empty());
    REQUIRE(world.table.orphans().size() == 1);
    CHECK(world.table.orphans()[0].pid == nameless);
    CHECK_FALSE(world.table.owner_of(nameless).has_value());
    CHECK(world.table.kill_strays() == 1);
  }
}

TEST_CASE("process table: with another session and an empty environment it is known by its limit") {
  World world;
  Scratch scratch;
  world.start(
      one, "setsid setsid -f env -i /bin/sh -c 'echo $$ > " + (scratch / "pid") + "; exec /bin/sleep 1000'",
      World::Limit::marked);
  const pid_t daemon = await_pid(scratch / "pid");
  world.await_main(one);
  REQUIRE(eventually([&] { return world.table.reap(), world.table.leftovers(one).size() == 1; }));
  CHECK(world.table.leftovers(one)[0].pid == daemon);
  CHECK(world.table.owner_of(daemon) == one);
  CHECK(world.table.signal_leftovers(one, SIGKILL) == 1);
  CHECK(world.empties(one));
}

TEST_CASE("process table: strays are killed, what belongs to a run is not") {
  World world;
  const auto stray = spawn(shell("sleep 1000 & wait"));
  REQUIRE(stray.has_value());
  const pid_t main = world.start(one, "exec sleep 1000");
  CHECK(eventually([&] { return descendants(std::vector{*stray}, ChildrenBy::file).size() == 1; }));
  CHECK(world.table.kill_strays() == 2);
  CHECK(eventually([&] { return world.table.reap(), world.table.orphans().empty(); }));
  CHECK(::kill(main, 0) == 0);
}

TEST_CASE("process table: a tree that forks while it is killed does not escape") {
  World world;
  Scratch scratch;
  world.start(one, "(setsid sh -c 'while :; do sleep 0.01 & setsid sleep 0.02 & done; wait') & echo x > " +
                       (scratch / "up") + "; exec sleep 1000");
  CHECK(eventually([&] { return world.table.leftovers(one).size() > 3; }));
  world.table.signal_main(one, SIGKILL);
  world.await_main(one);
  CHECK(eventually([&] {
    world.table.reap();
    world.table.signal_leftovers(one, SIGKILL);
    world.table.reap();
    return world.table.leftovers(one).empty();
  }));
  CHECK(world.table.orphans().empty());
}

TEST_CASE("process table: a stopped process dies of SIGTERM") {
  World world;
  const pid_t main = world.start(one, "exec sleep 1000");
  ::kill(main, SIGSTOP);
  CHECK(eventually([&] { return read_stat(main)->state == 'T'; }));
  CHECK(world.table.signal_main(one, SIGTERM) == 1);
  CHECK(WTERMSIG(world.await_main(one)) == SIGTERM);
  CHECK(world.table.signal_main(one, SIGTERM) == 0);  // never to a number that may be another's
}

TEST_CASE("process table: the main process alone is signalled, not its children (T22)") {
  World world;
  Scratch scratch;
  world.start(one, "sleep 1000 & echo $! > " + (scratch / "pid") + "; wait");
  const pid_t agent = await_pid(scratch / "pid");
  world.table.signal_main(one, SIGTERM);
  world.await_main(one);
  CHECK(::kill(agent, 0) == 0);
  CHECK(world.table.leftovers(one).size() == 1);
}

TEST_CASE("process table: a check is a tree of its own, and what it leaves is killed wherever it went") {
  World world;
  Scratch scratch;
  const pid_t main = world.start(one, "exec sleep 1000");
  constexpr RunKey check{{1, 1}, 1};
  world.start(check,
              "sleep 777 & setsid -f env -i PATH=$PATH sh -c 'echo $$ > " + (scratch / "pid") +
                  "; exec sleep 777'; while [ ! -s " + (scratch / "pid") + " ]; do :; done; exit 0",
              World::Limit::marked);
  CHECK(WEXITSTATUS(world.await_main(check)) == 0);
  CHECK(world.table.orphans_reaped() == 0);
  CHECK(world.table.leftovers(check).size() == 2);
  CHECK(world.table.leftovers(one).size() == 2);                // the next run has to wait for them
  CHECK(world.table.members(one) == std::vector<pid_t>{main});  // but they do not serve for it
  CHECK(world.table.signal_leftovers(check, SIGKILL) == 2);
  CHECK(world.empties(check));
  CHECK(world.table.leftovers(one).empty());
  CHECK(::kill(main, 0) == 0);
}

TEST_CASE("process table: a check that still runs is a leftover of its run, with what it has started") {
  World world;
  Scratch scratch;
  world.start(one, "exec sleep 1000");
  constexpr RunKey check{{1, 1}, 1};
  world.start(check, "sleep 777 & echo $! > " + (scratch / "pid") + "; wait");
  await_pid(scratch / "pid");
  world.table.signal_main(one, SIGKILL);
  world.await_main(one);
  CHECK(world.table.leftovers(one).size() == 2);
  world.table.signal_leftovers(one, SIGKILL);
  world.await_main(check);
  CHECK(world.empties(one));
}

TEST_CASE("process table: the next run of a service does not inherit what the last one left behind") {
  World world;
  Scratch scratch;
  world.start(one, "setsid -f sh -c 'echo $$ > " + (scratch / "pid") + "; exec sleep 1000'");
  const pid_t old = await_pid(scratch / "pid");
  world.await_main(one);
  world.start({{1, 2}}, "exec sleep 1000");
  REQUIRE(eventually([&] { return world.table.reap(), world.table.leftovers(one).size() == 1; }));
  CHECK(world.table.leftovers(one)[0].pid == old);
  CHECK(world.table.leftovers({{1, 2}}).empty());
  CHECK(world.table.members({{1, 2}}).size() == 1);
}

TEST_CASE("process table: a thousand orphans are reaped and counted") {
  World world;
  world.start(one, "i=0; while [ $i -lt 1000 ]; do (sleep 0 & exec true) & i=$((i+1)); done; wait");
  world.await_main(one);
  CHECK(eventually([&] { return world.table.reap(), world.table.orphans().empty(); }));
  CHECK(eventually([&] { return world.table.reap(), world.table.orphans_reaped() > 0; }));
  CHECK(world.table.leftovers(one).empty());
}

TEST_CASE("proc_fs: scanning all processes finds the same tree as the kernel's lists") {
  World world;
  const pid_t main = world.start(one, "(sleep 1000 & sleep 1000 & wait) & sleep 1000 & wait");
  const pid_t roots[] = {main};
  CHECK(eventually([&] { return descendants(roots, ChildrenBy::file).size() == 4; }));
  CHECK(descendants(roots, ChildrenBy::scan).size() == 4);
  CHECK(own_children(ChildrenBy::scan) == own_children(ChildrenBy::file));
}

TEST_CASE(
    "process table: whose group a leftover is in is whose it is, and a whole group is killed in one stroke") {
  pid_t sleeper = 0;
  std::vector<std::string> killed;
  World world;  // uses both to its end
  Scratch scratch;
  world.table.use({.service_of = [&](pid_t pid) -> std::optional<std::string> {
                     if (pid == sleeper) return "1";
                     return std::nullopt;
                   },
                   .kill = [&](const std::string& service) { killed.push_back(service); }});
  // Its session and its environment are its own: nothing else tells whose it is.
  world.start(one, "env -i setsid sleep 1000 & echo $! > " + (scratch / "pid"));
  sleeper = await_pid(scratch / "pid");
  CHECK(eventually([&] { return read_stat(sleeper)->name == "sleep"; }));
  world.await_main(one);
  const auto leftovers = world.table.leftovers(one);
  REQUIRE(leftovers.size() == 1);
  CHECK(leftovers[0].pid == sleeper);
  CHECK(world.table.signal_leftovers(one, SIGTERM) == 1);
  CHECK(killed.empty());
  world.table.signal_leftovers(one, SIGKILL);
  CHECK(killed == std::vector<std::string>{"1"});
  CHECK(world.empties(one));
}
