// FNV-1a: a hash that is the same on every machine and in every build. Anybody can make texts that collide.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

namespace arizuko::base {

/// The constants of 32 and 64 bits: https://datatracker.ietf.org/doc/draft-eastlake-fnv/
template <std::unsigned_integral Hash>
inline constexpr Hash fnv1a_basis = sizeof(Hash) == 4 ? Hash(0x811c9dc5U) : Hash(0xcbf29ce484222325U);
template <std::unsigned_integral Hash>
inline constexpr Hash fnv1a_prime = sizeof(Hash) == 4 ? Hash(0x01000193U) : Hash(0x100000001b3U);

/// Goes on from `hash` when `bytes` is not the beginning.
template <std::unsigned_integral Hash>
constexpr Hash fnv1a(std::string_view bytes, Hash hash = fnv1a_basis<Hash>) {
  for (const char each : bytes) hash = (hash ^ static_cast<unsigned char>(each)) * fnv1a_prime<Hash>;
  return hash;
}

}  // namespace arizuko::base
