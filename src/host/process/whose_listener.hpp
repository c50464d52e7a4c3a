// Whose the socket is that has just accepted a connection (T1, T7). Private to the host layer.
//
// Three answers, for "cannot tell" is not "somebody else's": there may be no /proc, and the kernel shows what
// a process has open to its own user only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "arizuko/host/process/listeners.hpp"
#include "proc_fs.hpp"

namespace arizuko::host {

struct Whose {
  enum class Is { own, foreign, cannot_tell };
  Is is = Is::cannot_tell;
  std::optional<HeldSocket> held;  // own: where it was found
  std::string detail;              // foreign: "is held by timed (pid 7)"; cannot_tell: why, and what to do
};

/// `members`: the processes that it should belong to. `inodes`: the sockets that listen there. `name_of`:
/// what a holder is called in messages, "timed (pid 7)".
Whose whose_listener(std::span<const pid_t> members, const Inodes& inodes,
                     const std::function<std::string(const Holder&)>& name_of);

}  // namespace arizuko::host
