// One supervisor a data directory (T25): flock on the directory itself and on <data_dir>/.arizuko-init/lock,
// for the whole run.
//
// The kernel drops both when we die, however we die. The file names its holder (process id, host name, start
// time), so that the one who comes second can say who is there; a daemon may delete it, and then the lock on
// the directory still stands. A file system that cannot lock a directory (NFS) has the file alone. Owner and
// mode of the directory are checked on the way (T15).
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "arizuko/host/state/state_dir.hpp"

namespace arizuko::host {

struct LockRefusal {
  enum class Why {
    held,        // by another supervisor, which lives: later it may be free
    impossible,  // cannot create, not writable by uid N (owner M)
  };
  Why why = Why::impossible;
  std::string text;  // a sentence: what, by whom, and what would work
};

class DataLock {
 public:
  /// Creates the state directory when missing. Does not wait.
  static std::expected<DataLock, LockRefusal> acquire(const std::string& data_dir);

  /// <data_dir>/.arizuko-init: for what outlives the run (marks of tasks).
  const StateDir& state() const { return state_; }

 private:
  DataLock(StateDir state, posix::Descriptor file) : state_(std::move(state)), file_(std::move(file)) {}
  StateDir state_;          // holds the lock of the data directory, where its file system knows one
  posix::Descriptor file_;  // holds the lock of the file
};

}  // namespace arizuko::host
