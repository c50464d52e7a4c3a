// The ledger in <DATA_DIR>/.arizuko-init/agents.json: read and written by every process of this command, read
// by arizuko-init. Written beside and renamed, under a lock of its own; gone or spoilt, it begins anew.
#pragma once

#include <functional>
#include <string>

#include "ledger.hpp"
#include "settings.hpp"

namespace arizuko::agents {

class LedgerFile {
 public:
  /// Of DATA_DIR; where that is not set or not there nothing is kept (somebody at a terminal).
  static LedgerFile of(const Environment& environment);

  /// The caller's data directory is here.
  bool here() const { return !directory_.empty(); }

  /// As it is now, without the runs that are over.
  Ledger read() const;
  /// False: it could not be kept (a full or read-only volume).
  bool change(const std::function<void(Ledger&)>& change) const;

 private:
  explicit LedgerFile(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;  // <DATA_DIR>/.arizuko-init, or empty
};

/// The process that this run is of still lives.
bool lives(const LiveRun& run);
/// This process.
LiveRun this_process(std::string name, std::string group);
/// Field 22 of /proc/PID/stat; 0: there is no such process.
std::uint64_t born(int pid);

/// This process, so that another one can tell later whether it still lives: a process of another PID
/// namespace (of a container before this one) counts as gone.
std::string caller_mark();
bool caller_lives(std::string_view mark);

UnixMs unix_now();

}  // namespace arizuko::agents
