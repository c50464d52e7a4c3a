#include "locked_memory.hpp"

#include <cstdint>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace arizuko::host {

void* LockedMemory::do_allocate(std::size_t bytes, std::size_t) {
  // A page is aligned for everything.
  const auto map = [bytes] {
    return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  };
  void* memory = map();
  for (; memory == MAP_FAILED; memory = map()) {
    // As operator new does: the handler makes room, or it throws.
    const std::new_handler make_room = std::get_new_handler();
    if (make_room == nullptr) throw std::bad_alloc();
    make_room();
  }
  ::madvise(memory, bytes, MADV_DONTDUMP);
  ::mlock(memory, bytes);
  return memory;
}

void LockedMemory::do_deallocate(void* memory, std::size_t bytes, std::size_t) {
  ::explicit_bzero(memory, bytes);
  ::munmap(memory, bytes);
}

void keep_out_of_swap(const env::Snapshot& snapshot) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const auto& [key, value] : snapshot.values) {
    const auto begin = reinterpret_cast<std::uintptr_t>(value.text.data()) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(value.text.data()) + value.text.size();
    auto* const first = reinterpret_cast<void*>(begin);
    ::mlock(first, end - begin);
    ::madvise(first, (end - begin + page - 1) / page * page, MADV_DONTDUMP);
  }
}

}  // namespace arizuko::host
