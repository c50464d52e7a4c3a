#include "arizuko/posix/memory_reserve.hpp"

#include <new>

#include <sys/mman.h>

namespace arizuko::posix {

namespace {

// operator new knows of one handler, a plain function: so there is one reserve.
void* put_by = nullptr;
std::size_t wanted_bytes = 0;

void put_by_again() {
  void* block = ::mmap(nullptr, wanted_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block != MAP_FAILED) put_by = block;
}

/// Called by operator new when there is no memory: it tries again when this returns.
void give_back() {
  if (put_by == nullptr) throw std::bad_alloc();
  ::munmap(put_by, wanted_bytes);
  put_by = nullptr;
}

}  // namespace

MemoryReserve::MemoryReserve(std::size_t bytes) {
  wanted_bytes = bytes;
  put_by_again();
  std::set_new_handler(give_back);
}

MemoryReserve::~MemoryReserve() {
  std::set_new_handler(nullptr);
  if (put_by != nullptr) ::munmap(put_by, wanted_bytes);
  put_by = nullptr;
  wanted_bytes = 0;
}

bool memory_is_ample() {
  if (put_by == nullptr && wanted_bytes > 0) put_by_again();
  return put_by != nullptr || wanted_bytes == 0;
}

}  // namespace arizuko::posix
