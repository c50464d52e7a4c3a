// The one source of chance in the simulation: a seed gives the same history on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "arizuko/engine/time.hpp"

namespace arizuko::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

  /// splitmix64.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(next() % n); }
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  std::chrono::milliseconds between(std::uint32_t low_ms, std::uint32_t high_ms) {
    return std::chrono::milliseconds(low_ms + below(high_ms - low_ms + 1));
  }
  template <class T>
  const T& one_of(const std::vector<T>& list) {
    return list[below(static_cast<std::uint32_t>(list.size()))];
  }

 private:
  std::uint64_t state_;
};

}  // namespace arizuko::sim
