// Who holds the data directory. Private to the doctor layer.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace arizuko::doctor {

struct LockHolder {
  std::optional<pid_t> pid;  // as its own pid namespace numbers it
  std::string text;          // "arizuko-init with pid 17 on host arizuko-0 since 2026-11-22T20:39:00Z"
  bool on_this_host = false;
};

/// The running instance; nullopt when none has the lock. Takes a shared lock for the blink of an eye: the
/// kernel tells in no other way, and it is given back at once.
std::optional<LockHolder> lock_holder(const std::string& data_dir);

}  // namespace arizuko::doctor
