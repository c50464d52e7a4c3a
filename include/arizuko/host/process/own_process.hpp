// What a run asks of its own process before anything else: signals, limits, the environment's block.
// Process-wide state; starts nothing.
#pragma once

#include <csignal>
#include <initializer_list>

namespace arizuko::host {

/// A SIGTERM before the supervisor's handlers are there must not be lost: the kernel drops a signal
/// without a handler for PID 1, but keeps a blocked one (signal(7), sig_ignored() in the kernel). No other is
/// blocked: a mask is inherited, and whoever left one would have made us deaf. Afterwards these three are
/// open, and the rest is as the supervisor has it (signals.hpp there).
class StopSignalsBlocked {
 public:
  StopSignalsBlocked() {
    ::sigemptyset(&signals_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals_, number);
    ::sigprocmask(SIG_SETMASK, &signals_, nullptr);
  }
  ~StopSignalsBlocked() { release(); }
  StopSignalsBlocked(const StopSignalsBlocked&) = delete;
  StopSignalsBlocked& operator=(const StopSignalsBlocked&) = delete;
  void release() { ::sigprocmask(SIG_UNBLOCK, &signals_, nullptr); }

 private:
  sigset_t signals_{};
};

/// Sets umask, core files, SIGPIPE and the heap: what we were started with is nobody's wish for an instance.
void harden();

/// Overwrites the secrets in the block that /proc/PID/environ shows; `environ` is a copy from then on.
void hide_environment();

}  // namespace arizuko::host
