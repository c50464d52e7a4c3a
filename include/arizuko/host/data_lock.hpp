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
  /// Creates the state directory (0700) when missing. Does not wait.
  static std::expected<DataLock, LockRefusal> acquire(const std::string& data_dir);

  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;
  ~DataLock();

  /// <data_dir>/.arizuko-init: for what outlives the run (marks of tasks).
  const std::string& state_dir() const { return state_dir_; }
  static std::string state_dir_of(const std::string& data_dir) { return data_dir + "/.arizuko-init"; }

 private:
  DataLock(int directory, int descriptor, std::string state_dir);
  int directory_ = -1;  // -1: this file system cannot lock it
  int descriptor_ = -1;
  std::string state_dir_;
};

}  // namespace arizuko::host
