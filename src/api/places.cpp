#include "places.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

namespace arizuko::api {

namespace {

enum class Standing { stalled, follows, fresh };  // the first goes first

Standing standing(const Claim& claim, std::chrono::steady_clock::time_point now) {
  switch (claim.waits) {
    case Claim::Waits::for_news: return Standing::follows;
    case Claim::Waits::for_its_peer: break;
  }
  return now - claim.since >= stalled_after ? Standing::stalled : Standing::fresh;
}

}  // namespace

std::size_t least_deserving(std::span<const Claim> claims, std::chrono::steady_clock::time_point now) {
  std::map<std::string_view, std::ptrdiff_t> places;
  for (const Claim& claim : claims) ++places[claim.peer];
  std::vector<std::size_t> all(claims.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return *std::ranges::min_element(all, {}, [&](std::size_t i) {
    return std::tuple(standing(claims[i], now), -places[claims[i].peer], claims[i].since);
  });
}

std::string peer_of(int descriptor) {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_storage storage;
  } address{};
  socklen_t size = sizeof address;
  if (::getpeername(descriptor, &address.any, &size) != 0) return {};
  const auto bytes = [](const void* from, std::size_t count) {
    return std::string(static_cast<const char*>(from), count);
  };
  if (address.any.sa_family == AF_INET) return bytes(&address.v4.sin_addr, 4);
  if (address.any.sa_family != AF_INET6) return {};
  if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) return bytes(&address.v6.sin6_addr.s6_addr[12], 4);
  return bytes(&address.v6.sin6_addr, 8);
}

}  // namespace arizuko::api
