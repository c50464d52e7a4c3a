// One supervisor a data directory (T25): flock on <data_dir>/.arizuko-init/lock for the whole run.
//
// The kernel drops the lock when we die, however we die. The file names its holder (process id, host
// name, start time), so that the one who comes second can say who is there. Owner and mode of the
// directory are checked on the way (T15).
#pragma once

#include <expected>
#include <string>

namespace arizuko::host {

class DataLock {
 public:
  /// Creates the state directory (0700) when missing. The error is a sentence: cannot create, not
  /// writable by uid N (owner M), held by whom; and what would work.
  static std::expected<DataLock, std::string> acquire(const std::string& data_dir);

  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;
  ~DataLock();

  /// <data_dir>/.arizuko-init: for what outlives the run (marks of tasks).
  const std::string& state_dir() const { return state_dir_; }

 private:
  DataLock(int descriptor, std::string state_dir);
  int descriptor_ = -1;
  std::string state_dir_;
};

}  // namespace arizuko::host
