#include "arizuko/posix/own_terminal.hpp"

#include <csignal>
#include <initializer_list>

#include <doctest/doctest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

using arizuko::posix::OwnTerminal;

namespace {

enum class Hangup { by_default, ignored };

/// In a child whose terminal is closed by this process: what OwnTerminal says before and after.
/// Exit code: 1 when lost before, plus 2 when lost after.
int lost_in_a_child(Hangup hangup) {
  int master = -1;
  int slave = -1;
  int ready[2];
  int gone[2];
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(gone) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(10);
    ::close(master);
    ::close(gone[1]);
    ::signal(SIGHUP, hangup == Hangup::ignored ? SIG_IGN : SIG_DFL);
    if (::setsid() < 0 || ::ioctl(slave, TIOCSCTTY, 0) != 0) ::_exit(100);
    const OwnTerminal terminal;
    const bool before = terminal.is_lost();
    ::signal(SIGHUP, SIG_IGN);
    char byte = 'r';
    static_cast<void>(!::write(ready[1], &byte, 1));
    static_cast<void>(!::read(gone[0], &byte, 1));
    ::_exit((before ? 1 : 0) + (terminal.is_lost() ? 2 : 0));
  }
  ::close(slave);
  char byte = 0;
  CHECK(::read(ready[0], &byte, 1) == 1);
  ::close(master);
  for (const int end : {ready[0], ready[1], gone[0], gone[1]}) ::close(end);
  int status = -1;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("own terminal: it is lost once its other end is closed, and not before") {
  CHECK(lost_in_a_child(Hangup::by_default) == 2);
}

TEST_CASE("own terminal: who was started to outlive it (nohup) never loses it") {
  CHECK(lost_in_a_child(Hangup::ignored) == 0);
}
