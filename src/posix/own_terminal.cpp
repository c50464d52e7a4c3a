#include "arizuko/posix/own_terminal.hpp"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::posix {
namespace {

/// tty(4): the controlling terminal of the process that opens it.
bool has_terminal() {
  return posix::Descriptor(::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)).is_open();
}

bool ignores_hangup() {
  struct sigaction now{};
  return ::sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

OwnTerminal::OwnTerminal() : had_one_(::getpid() != 1 && !ignores_hangup() && has_terminal()) {}

bool OwnTerminal::is_lost() const { return had_one_ && !has_terminal(); }

}  // namespace arizuko::posix
