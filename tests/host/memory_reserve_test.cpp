// What is put by is there when operator new finds no memory, once, and is put by again.
#include <doctest/doctest.h>

#include <cstdio>
#include <new>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/free_descriptors.hpp"
#include "arizuko/host/memory_reserve.hpp"

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

constexpr std::size_t reserve_bytes = 64 * 1024 * 1024;
constexpr std::size_t wanted_bytes = 32 * 1024 * 1024;

void no_more_address_space() {
  const rlimit none{1, RLIM_INFINITY};
  ::setrlimit(RLIMIT_AS, &none);
}

}  // namespace

TEST_CASE("memory reserve: what finds no memory gets what was put by, and the next one is told") {
  CHECK(in_child([] {
          const host::MemoryReserve reserve(reserve_bytes);
          if (!host::memory_is_ample()) return 1;
          // Nothing of that size can be mapped beside what is there; what is put by can be given back and
          // taken.
          std::size_t pages = 0;
          if (FILE* statm = std::fopen("/proc/self/statm", "r"); statm != nullptr) {
            if (std::fscanf(statm, "%zu", &pages) != 1) return 2;
            std::fclose(statm);
          }
          const rlimit limit{pages * 4096 + wanted_bytes / 2, RLIM_INFINITY};
          ::setrlimit(RLIMIT_AS, &limit);
          void* const first = ::operator new(wanted_bytes, std::nothrow);
          if (first == nullptr) return 3;
          if (host::memory_is_ample()) return 4;
          ::operator delete(first);
          return host::memory_is_ample() ? 0 : 5;
        }) == 0);
}

TEST_CASE("memory reserve: when it is used up, too, the allocation fails as ever") {
  CHECK(in_child([] {
          const host::MemoryReserve reserve(4096);
          no_more_address_space();
          try {
            ::operator delete(::operator new(wanted_bytes));
          } catch (const std::bad_alloc&) {
            return host::memory_is_ample() ? 1 : 0;
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
          if (host::free_descriptors(100) < 5) return 1;
          const std::size_t free = host::free_descriptors(100);
          static_cast<void>(::dup(0));
          if (host::free_descriptors(100) != free - 1) return 2;
          return host::free_descriptors(2) == 2 ? 0 : 3;
        }) == 0);
}
