#include "signals.hpp"

#include <array>
#include <csignal>
#include <new>
#include <utility>

#include "arizuko/engine/event.hpp"

namespace arizuko::host {

namespace {

// Nothing but what is handled may end us: on a bare host a stray SIGUSR1 would. Blocked, and not ignored: a
// child has to set back each signal that is ignored, 50 of them cost it a tenth of its start, and opens its
// mask in any case (Spawner). What comes stays pending for good.
void block_other_signals() {
  constexpr std::array handled = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
  // What the kernel sends for a fault of ours must keep its meaning.
  constexpr std::array faults = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGSYS,
                                 SIGTRAP, SIGKILL, SIGSTOP, SIGCONT, SIGTSTP};
  sigset_t others;
  ::sigfillset(&others);  // without the two that belong to the C library
  for (const int number : handled) ::sigdelset(&others, number);
  for (const int number : faults) ::sigdelset(&others, number);
  ::sigprocmask(SIG_BLOCK, &others, nullptr);
}

}  // namespace

Signals::Signals(boost::asio::io_context& io) : set_(io, SIGCHLD, SIGTERM, SIGINT) {
  set_.add(SIGHUP);
  block_other_signals();
}

void Signals::hear(Hooks hooks) {
  hooks_ = std::move(hooks);
  wait();
}

void Signals::wait() {
  set_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error || over_) return;
    try {
      take(number);
    } catch (const std::bad_alloc&) {
      hooks_.memory_was_short();
    }
    if (!over_) wait();
  });
}

void Signals::take(int number) {
  switch (number) {
    case SIGCHLD: return hooks_.child_ended();
    case SIGHUP: return take_hangup();
    default: return hooks_.stop(engine::signal_name(number));
  }
}

// The kernel and the shell may both tell of a lost terminal: it is one request to stop.
void Signals::take_hangup() {
  if (hung_up_) return;
  hung_up_ = terminal_.is_lost();
  if (hung_up_) return hooks_.stop("the terminal was closed: SIGHUP");
  hooks_.reload();
}

void Signals::end() {
  over_ = true;
  set_.cancel();
}

}  // namespace arizuko::host
