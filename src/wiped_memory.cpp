// What this program frees is wiped: a value that was composed for a child, compared, or sent in an answer
// does not stay in freed memory, whatever string, map or buffer held it. The C++ library takes all of its
// memory through these operators (N4950, 17.6.3).
//
// It does not hold for the stack (a short string, a buffer: gone when the next call overwrites it), for what
// C libraries allocate themselves (libsodium hashes guarded values; its scratch memory holds what follows
// from one, not the value), and for the process environment, which the kernel keeps as it was at our start
// and shows to root and to our own user (proc(5), /proc/PID/environ): put secrets that nobody there may read
// into files.
//
// A block is wiped up to what malloc really gave: a string that grew into the slack is wiped whole. It costs
// a few nanoseconds a block; large ones are the pipes' buffers, which live as long as their services.
#include <malloc.h>
#include <string.h>

#include <cstdlib>
#include <new>

namespace {

void free_wiped(void* block) noexcept {
  if (block == nullptr) return;
  ::explicit_bzero(block, ::malloc_usable_size(block));
  std::free(block);
}

}  // namespace

void operator delete(void* block) noexcept { free_wiped(block); }
void operator delete[](void* block) noexcept { free_wiped(block); }
void operator delete(void* block, std::size_t) noexcept { free_wiped(block); }
void operator delete[](void* block, std::size_t) noexcept { free_wiped(block); }
void operator delete(void* block, std::align_val_t) noexcept { free_wiped(block); }
void operator delete[](void* block, std::align_val_t) noexcept { free_wiped(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { free_wiped(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { free_wiped(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { free_wiped(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { free_wiped(block); }
