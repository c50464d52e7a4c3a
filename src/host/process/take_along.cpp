#include "arizuko/host/process/take_along.hpp"

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/wait.h>

#include "proc_fs.hpp"

namespace arizuko::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kill_patience{2000};
constexpr int pause_ms = 10;

void signal_children(int signal_number) {
  for (const pid_t pid : own_children(children_by())) {
    ::kill(pid, signal_number);
    ::kill(pid, SIGCONT);  // a stopped process takes nothing but SIGKILL until it is continued: signal(7)
  }
}

/// Collects those that have ended; false when there is no child any more.
bool any_left() {
  for (;;) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
    if (pid > 0 || (pid < 0 && errno == EINTR)) continue;
    return pid == 0;
  }
}

bool gone_before(Clock::time_point deadline) {
  while (any_left()) {
    if (Clock::now() >= deadline) return false;
    ::poll(nullptr, 0, pause_ms);
  }
  return true;
}

}  // namespace

bool end_all_children(std::chrono::milliseconds patience) {
  signal_children(SIGTERM);
  if (gone_before(Clock::now() + patience)) return true;
  const auto deadline = Clock::now() + kill_patience;
  while (any_left()) {
    if (Clock::now() >= deadline) return false;
    signal_children(SIGKILL);
    ::poll(nullptr, 0, pause_ms);
  }
  return true;
}

}  // namespace arizuko::host
