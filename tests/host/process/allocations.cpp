#include "allocations.hpp"

#include <cstdlib>
#include <new>

#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define ARIZUKO_ASAN 1
#endif
#endif

namespace arizuko::host::testing {
namespace {

volatile long watched = 0;  // the process whose children are; 0: nobody's
volatile int seen = 0;

__attribute__((no_sanitize("address"))) void allocates() {
  if (watched != 0 && ::syscall(SYS_getpid) != watched) seen = seen + 1;
}

}  // namespace

void watch_allocations_of_children() {
#ifdef ARIZUKO_ASAN
  static const int once = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t) { allocates(); }, [](const volatile void*) {});
  static_cast<void>(once);
#endif
  seen = 0;
  watched = ::syscall(SYS_getpid);
}

int allocations_of_children() {
  watched = 0;
  return seen;
}

}  // namespace arizuko::host::testing

#ifndef ARIZUKO_ASAN
void* operator new(std::size_t size) {
  arizuko::host::testing::allocates();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif
