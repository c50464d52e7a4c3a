// Makes a child that shares our memory until it executes: clone(2) with CLONE_VM | CLONE_VFORK, as
// posix_spawn(3) does. The raw half of the launcher; no Boost here.
//
// What runs in the child runs on our memory, on a stack of its own: no allocation, no lock, no glibc wrapper
// with a state of its own (setuid(3) there signals "all threads": ours), only system calls and plain memory.
// Meanwhile the parent waits, and all signals are blocked in both.
#pragma once

#include <cstdint>

#include <sys/types.h>

#include "arizuko/host/process/spawn_error.hpp"

/// Of every function that runs in the child. Sanitizers keep their shadow by thread: they stay out of it.
#define ARIZUKO_IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector))

namespace arizuko::host {

/// How far a launch has come. The child writes it, the parent reads it when the child has executed or ended.
struct Progress {
  SpawnStage stage = SpawnStage::forking;  // that began last: a child that is killed in it tells nothing more
  bool failed = false;                     // in this stage,
  int error = 0;                           // with this errno,
  int killed_by = 0;                       // or by this signal
};

/// Whose table of descriptors the child works with.
enum class Table {
  copied,
  shared,  // CLONE_FILES: until leave_table_in_child() the parent's own
};

struct Birth {
  Table table = Table::copied;
  int group = -1;  // directory of the control group (cgroup v2) that it is born in; -1: ours
};

/// Bit n-1 stands for signal n.
using SignalBits = std::uint64_t;
inline constexpr SignalBits every_signal = ~SignalBits{0};

/// The signals that are not at SIG_DFL in this process: ignored or handled. 64 system calls, 7 us.
SignalBits changed_signals() noexcept;

/// Makes children, one after the other. Owns the stack that they run on.
class Cloner {
 public:
  Cloner() = default;
  ~Cloner();
  Cloner(const Cloner&) = delete;
  Cloner& operator=(const Cloner&) = delete;

  using Body = int (*)(void* context) noexcept;
  /// Runs body(context) in a new child. Returns its process id when `progress.stage` is executing and the
  /// body has not returned, else -1: then `progress.failed` is set and no child is left. errno and the signal
  /// mask are as before.
  pid_t make_child(const Birth& birth, Body body, void* context, Progress& progress) noexcept;

 private:
  struct Start;
  bool have_stack() noexcept;
  pid_t clone_into_group(int flags, int group, Start& start) noexcept;
  pid_t clone(const Birth& birth, Start& start) noexcept;

  char* stack_ = nullptr;  // below it a page that faults
  bool clone3_refused_ = false;
};

/// errno as it was, at the end.
class ErrnoKept {
 public:
  ErrnoKept() noexcept;
  ~ErrnoKept();
  ErrnoKept(const ErrnoKept&) = delete;
  ErrnoKept& operator=(const ErrnoKept&) = delete;

 private:
  int before_;
};

// In the child, in this order:

/// Leaves the table that is shared with the parent, with a copy of what lies below `first_foreign`. False,
/// with errno.
bool leave_table_in_child(unsigned first_foreign) noexcept;
/// Nothing above 2 outlives execve, whether it was opened so or not.
void close_descriptors_at_execve_in_child() noexcept;
/// SIG_DFL for `reset`, so that no handler of ours runs on our memory, then the mask opens.
void open_signals_in_child(SignalBits reset) noexcept;

}  // namespace arizuko::host
