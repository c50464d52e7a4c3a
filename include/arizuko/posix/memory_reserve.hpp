// Memory that is put by for the moment when there is none.
//
// PID 1 must not end because a connection or a log line found no memory. operator new gives the reserve
// back to the system before it gives up (set_new_handler(3)), so what is under way can be finished; the
// next turn finds that memory is short, sends connections away, and puts the reserve by again. It is
// address space only: what is not used costs no page.
#pragma once

#include <cstddef>

namespace arizuko::posix {

class MemoryReserve {
 public:
  /// One at a time in a process.
  explicit MemoryReserve(std::size_t bytes = 1024 * 1024);
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;
};

/// True while the reserve is whole; puts it by again if that is possible. True also when there is none at
/// all.
bool memory_is_ample();

}  // namespace arizuko::posix
