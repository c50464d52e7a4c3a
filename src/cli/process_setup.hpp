// What a run asks of its own process before anything else, and the directory that it works on. Touches
// process-wide state (signals, limits, environment); starts nothing.
#pragma once

#include <csignal>
#include <expected>
#include <optional>
#include <string>

#include "arizuko/host/state/made_dirs.hpp"
#include "options.hpp"

namespace arizuko::cli {

/// A SIGTERM before the supervisor's handlers are there must not be lost: the kernel drops a signal
/// without a handler for PID 1, but keeps a blocked one (signal(7), sig_ignored() in the kernel). Afterwards
/// nothing is blocked: a mask is inherited, and whoever left one would have made us deaf.
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
  void release() {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

 private:
  sigset_t signals_{};
};

/// What we are started with is nobody's wish for an instance: umask, core files, SIGPIPE, the heap.
void harden();

/// Overwrites the secrets in the block that /proc/PID/environ shows; `environ` is a copy from then on.
void hide_environment();

/// Makes pod.data_dir when it is missing. The error is a sentence with what would work.
std::expected<void, std::string> make_data_dir(const std::string& path, Mode mode,
                                               const std::optional<host::Account>& owner);

}  // namespace arizuko::cli
