// Memory for secrets: in no core file, not swapped where that can be had, wiped before it is given back.
//
// Each allocation is a mapping of its own, so it is for few and large ones.
#pragma once

#include <memory_resource>

#include "arizuko/env/snapshot.hpp"

namespace arizuko::host {

class LockedMemory final : public std::pmr::memory_resource {
 private:
  /// Throws std::bad_alloc when there is no memory. Not being allowed to lock it is no error: RLIMIT_MEMLOCK
  /// of a pod may be as small as 64 KiB.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

/// Locks the pages that hold the texts of values, and keeps them out of core files: best effort, and never
/// undone, for other things may lie on them. The value texts of one instance are a few pages.
void keep_out_of_swap(const env::Snapshot& snapshot);

}  // namespace arizuko::host
