// Whose run a process is of: a living instance's, or a dead one's. Private to the doctor layer.
//
// The mark that every child of arizuko-init carries tells only that one of us has started it. Whether that
// one lives is told by its parents: a living arizuko-init, PID 1 or subreaper, is an ancestor of all that it
// has started; what an ended one left has gone to somebody else.
#pragma once

#include <optional>

#include <sys/types.h>

#include "holder.hpp"

namespace arizuko::doctor {

enum class RunOf {
  nobody,            // a stranger
  this_instance,     // what holds the data directory now, or what it has started
  another_instance,  // likewise, on another data directory
  dead_instance,     // the arizuko-init that started it is gone
  untold,            // one of us, but the instance's own process cannot be seen from here
};

RunOf run_of(pid_t pid, const std::optional<LockHolder>& instance);

}  // namespace arizuko::doctor
