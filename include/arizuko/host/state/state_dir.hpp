// <data_dir>/.arizuko-init: what arizuko-init remembers across its runs, and nobody else may change.
//
// Opened once at the start and used through its descriptor from then on, as is the data directory: a daemon
// to whom the data directory belongs can rename what is in it and put a link there, and the files that are
// made, replaced and removed are still those of the directory that was opened. Root takes only a directory
// that belongs to it, or whose files belong to whom it belongs (a file system without owners); no link is
// followed.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::host {

class StateDir {
 public:
  /// Makes both directories when they are missing: 0700, and 0711 for root, whose daemons may have another
  /// uid and work in directories below it. The error is a sentence: what cannot be done, whose it is, what
  /// would work.
  static std::expected<StateDir, std::string> make(const std::string& data_dir);

  /// For those who only look: makes and checks nothing. What is not there, or no directory, holds no file.
  static StateDir at(const std::string& path);

  /// For openat(2) and its like; -1: it is not there, or cannot be entered.
  int descriptor() const { return opened_->state.get(); }
  /// Why it is not: an errno.
  int error() const { return opened_->error; }
  /// The data directory itself; -1 by at().
  int data() const { return opened_->data.get(); }
  /// For messages.
  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + '/' + name; }

 private:
  struct Opened {
    posix::Descriptor data;
    posix::Descriptor state;
    int error = 0;
  };
  StateDir(std::string path, Opened opened);

  std::string path_;
  std::shared_ptr<const Opened> opened_;
};

/// "uid 1000 cannot write /srv/data/x (owner 0:0, mode 0755): Permission denied; chown it to 1000:1000, ..."
std::string not_writable(const std::string& path, int error);

}  // namespace arizuko::host
