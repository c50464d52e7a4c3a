#include "host/supervisor/locked_memory.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <memory_resource>
#include <sstream>
#include <string>

using arizuko::host::LockedMemory;

namespace {

/// The VmFlags of the mapping that holds `address`: proc(5), smaps.
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto wanted = reinterpret_cast<std::uintptr_t>(address);
      inside = begin <= wanted && wanted < end;
    }
    if (inside && line.starts_with("VmFlags:")) return line + ' ';
  }
  return {};
}

}  // namespace

TEST_CASE("locked memory: is in no core file") {
  LockedMemory memory;
  std::pmr::string secret(std::size_t{100'000}, 's', &memory);
  CHECK(flags_of(secret.data()).contains(" dd "));
  std::string ordinary(std::size_t{1'000'000}, 'o');
  CHECK_FALSE(flags_of(ordinary.data()).contains(" dd "));
}

TEST_CASE("locked memory: what is given back is not there any more") {
  LockedMemory memory;
  const void* address = nullptr;
  {
    std::pmr::string secret(std::size_t{100'000}, 's', &memory);
    address = secret.data();
    CHECK_FALSE(flags_of(address).empty());
  }
  CHECK(flags_of(address).empty());
}
