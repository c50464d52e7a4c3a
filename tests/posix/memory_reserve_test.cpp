// What is put by is there when operator new finds no memory, once, and is put by again.
#include <doctest/doctest.h>

#include <cstdio>
#include <new>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/posix/free_descriptors.hpp"
#include "arizuko/posix/memory_reserve.hpp"

using namespace arizuko;

namespace {

/// Runs `body` in a child process, which may spoil its limits; its exit code.
template <typename Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr std::size_t megabyte = 1024 * 1024;

/// No more address space than is used now; 0: as much as before.
void limit_address_space(std::size_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
  ::setrlimit(RLIMIT_AS, &limit);
}

std::size_t address_space() {
  std::size_t pages = 0;
  if (FILE* statm = std::fopen("/proc/self/statm", "r"); statm != nullptr) {
    if (std::fscanf(statm, "%zu", &pages) != 1) pages = 0;
    std::fclose(statm);
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool can_map(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && ::munmap(memory, bytes) == 0;
}

}  // namespace

// By the handler that operator new calls: a sanitizer's operator new calls none. tests/attack has the whole
// way.
TEST_CASE("memory reserve: what finds no memory gets what was put by, and the next turn is told") {
  CHECK(in_child([] {
          const posix::MemoryReserve reserve(64 * megabyte);
          if (!posix::memory_is_ample()) return 1;
          limit_address_space(address_space());
          if (can_map(32 * megabyte)) return 2;
          std::get_new_handler()();
          if (!can_map(32 * megabyte)) return 3;
          if (!posix::memory_is_ample()) return 4;  // nobody has taken it: it is put by again
          if (can_map(32 * megabyte)) return 5;
          std::get_new_handler()();
          limit_address_space(1);
          return posix::memory_is_ample() ? 6 : 0;
        }) == 0);
}

TEST_CASE("memory reserve: when it is used up, too, an allocation fails as ever") {
  CHECK(in_child([] {
          const posix::MemoryReserve reserve(megabyte);
          std::get_new_handler()();
          try {
            std::get_new_handler()();
          } catch (const std::bad_alloc&) {
            return posix::memory_is_ample() ? 0 : 1;
          }
          return 2;
        }) == 0);
}

TEST_CASE("free descriptors: counted up to what was asked for, under the limit of now") {
  CHECK(in_child([] {
          const int lowest = ::dup(0);
          ::close(lowest);
          rlimit before{};
          ::getrlimit(RLIMIT_NOFILE, &before);
          const rlimit low{static_cast<rlim_t>(lowest) + 5, before.rlim_max};
          ::setrlimit(RLIMIT_NOFILE, &low);
          if (posix::free_descriptors(100) < 5) return 1;
          const std::size_t free = posix::free_descriptors(100);
          static_cast<void>(::dup(0));
          if (posix::free_descriptors(100) != free - 1) return 2;
          return posix::free_descriptors(2) == 2 ? 0 : 3;
        }) == 0);
}
