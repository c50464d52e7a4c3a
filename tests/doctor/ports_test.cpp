// Ports of the plan that are taken: by whom, and whether that is the running instance.
#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <optional>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/state/data_lock.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

/// A process with our mark that holds what this one has open. Left behind: its parent is gone, and init has
/// it.
pid_t marked_holder(bool left_behind) {
  std::array<int, 2> pids{};
  REQUIRE(::pipe(pids.data()) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t holder = left_behind ? ::fork() : 0;
    if (holder == 0) {
      const rlimit mark{host::limit_mark("gated/1"), RLIM_INFINITY};
      ::setrlimit(RLIMIT_RTTIME, &mark);
      const pid_t self = ::getpid();
      const bool told = ::write(pids[1], &self, sizeof self) == sizeof self;
      ::close(pids[0]);
      ::close(pids[1]);
      if (told) ::pause();
    }
    ::_exit(0);
  }
  ::close(pids[1]);
  pid_t holder = 0;
  REQUIRE(::read(pids[0], &holder, sizeof holder) == sizeof holder);
  ::close(pids[0]);
  if (left_behind) ::waitpid(parent, nullptr, 0);
  return holder;
}

}  // namespace

TEST_CASE("doctor: a port that somebody else holds is an error that names him") {
  World world;
  const Listening stranger;
  world.load(fmt::format("[service.gated]\nport = {}\n", stranger.port()));
  const Finding found = only(check_ports(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.key == "service.gated.port");
  CHECK(
      has(found.what, fmt::format("port {} is held by doctor_tests (pid {})", stranger.port(), ::getpid())));
}

TEST_CASE(
    "doctor: what a dead arizuko-init left on a port is not the running instance's, what it started is") {
  World world;
  const auto lock =
      host::DataLock::acquire(world.plan.pod.data_dir);  // by this process: it is the living one
  REQUIRE(lock);
  for (const bool left_behind : {false, true}) {
    CAPTURE(left_behind);
    std::optional<Listening> socket(std::in_place);
    const int port = socket->port();
    const pid_t holder = marked_holder(left_behind);
    socket.reset();  // the holder has it still
    world.load(fmt::format("[service.gated]\nport = {}\n", port));
    const Finding found = only(check_ports(world.context()));
    ::kill(holder, SIGKILL);
    if (!left_behind) ::waitpid(holder, nullptr, 0);
    CHECK(found.severity == (left_behind ? Severity::error : Severity::note));
    if (!left_behind) continue;
    CHECK(found.what ==
          fmt::format("port {} is held by doctor_tests (pid {}), which an arizuko-init that is gone "
                      "has left behind",
                      port, holder));
    CHECK(has(found.fix, fmt::format("kill {}", holder)));
  }
}

TEST_CASE("doctor: ports of the running instance are a note, and of a service that is off nothing") {
  World world;
  const Listening ours;
  world.load(fmt::format("[service.gated]\nport = {}\n", ours.port()));
  const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);  // by this process, which listens, too
  REQUIRE(lock);
  CHECK(heads(check_ports(world.context())) == Heads{"note ports"});
  world.load(fmt::format("[service.teled]\nport = {}\n", ours.port()));
  CHECK(heads(check_ports(world.context())) == Heads{});
}
