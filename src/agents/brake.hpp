// What keeps failing turns and storms of commands small (trap T40): a run waits for its time before it tries,
// and what it came to is written into the ledger for all others.
//
// It waits before and not after, so that a message is answered, not failed, as soon as agents work again.
// While it waits nothing of it exists elsewhere: `kill --signal` and `stop` of its name are answered from
// here.
#pragma once

#include <string>

#include "command_line.hpp"
#include "ledger_file.hpp"

namespace arizuko::agents {

/// The group that a run is of: the directory that becomes the agent's home, else the run's name without its
/// time.
std::string group_of(const Run& run);

class Brake {
 public:
  Brake(const Environment& environment, std::string_view backend, const Run& run);

  /// Returns when the turn may be tried. A failure: it was told to end meanwhile, its caller is gone, or too
  /// many run already.
  Result<void> wait();
  /// What became of it; `reason` of a failure. Where nothing can be written, and so nobody be told to wait,
  /// the failing one itself is held.
  void went_well();
  void failed(std::string_view reason);

 private:
  enum class Turn { ours, not_yet, crowded };
  Turn ask(UnixMs& start);
  void leave(const std::function<void(Ledger&)>& note);

  LedgerFile file_;
  std::string backend_;
  LiveRun self_;
  std::size_t most_;
};

/// Of `names`, those that wait: SIGUSR1 (steering) is theirs without being sent, for an agent reads its input
/// when it starts; whatever else ends them. Returns the names that it did not settle.
enum class Waiting { is_told_nothing, is_ended };
struct Settled {
  std::vector<std::string> done;
  std::vector<std::string> left;
};
Settled settle_waiting(const Environment& environment, std::vector<std::string> names, Waiting waiting);

/// `docker info` says who runs agents: for `arizuko-init status`.
void note_backend(const Environment& environment, std::string_view backend);

/// Any spelling of SIGUSR1.
bool is_steering(std::string_view signal);

}  // namespace arizuko::agents
