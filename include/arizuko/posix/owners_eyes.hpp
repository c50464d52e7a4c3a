// Looks at another user's process with that user's eyes.
//
// The kernel shows the open descriptors and the environment of a process to its own user, and else to
// CAP_SYS_PTRACE alone (ptrace(2), PTRACE_MODE_READ_FSCREDS). A root in a container has no such capability by
// default, but may take a user's identity for file access: setfsuid(2).
#pragma once

#include <sys/types.h>

namespace arizuko::posix {

class OwnersEyes {
 public:
  /// While it lives, files are looked at as the user and group of `pid`; nothing else changes. Only for root:
  /// for anybody else, for a process of root and for one that is gone it does nothing.
  explicit OwnersEyes(pid_t pid);
  ~OwnersEyes();
  OwnersEyes(const OwnersEyes&) = delete;
  OwnersEyes& operator=(const OwnersEyes&) = delete;
  /// True when it is worth looking again.
  bool open() const { return open_; }

 private:
  bool open_ = false;
  int dumpable_ = 0;
  int death_signal_ = 0;
};

}  // namespace arizuko::posix
