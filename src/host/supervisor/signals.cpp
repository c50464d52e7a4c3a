#include "signals.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <new>
#include <utility>

#include "arizuko/engine/event.hpp"

namespace arizuko::host {

namespace {

// On a bare host a stray SIGUSR1 would end us. Children start with the default dispositions again (spawn).
void ignore_other_signals() {
  constexpr std::array handled = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
  // What the kernel sends for a fault of ours must keep its meaning.
  constexpr std::array faults = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGSYS,
                                 SIGTRAP, SIGKILL, SIGSTOP, SIGCONT, SIGTSTP};
  const auto is_one_of = [](const auto& list, int number) {
    return std::find(list.begin(), list.end(), number) != list.end();
  };
  for (int number = 1; number <= SIGRTMAX; ++number) {
    // Those between the standard and the first real-time signal belong to the C library.
    const bool of_libc = number >= 32 && number < SIGRTMIN;
    if (of_libc || is_one_of(handled, number) || is_one_of(faults, number)) continue;
    std::signal(number, SIG_IGN);
  }
}

}  // namespace

Signals::Signals(boost::asio::io_context& io) : set_(io, SIGCHLD, SIGTERM, SIGINT) {
  set_.add(SIGHUP);
  ignore_other_signals();
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
