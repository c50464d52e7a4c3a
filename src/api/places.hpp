// Who goes when there is no place for another connection: a decision, without a socket.
//
// Every new connection is taken, for it may be the kubelet's, and one of those that are there makes room.
// Whoever asks and reads is answered within one turn of the loop: what is still there waits for its own
// peer, or for news.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

namespace arizuko::api {

/// What a connection has to say for itself.
struct Claim {
  enum class Waits { for_its_peer, for_news };
  Waits waits = Waits::for_its_peer;
  std::chrono::steady_clock::time_point since;  // it waits
  std::string peer;                             // see peer_of; empty: not told apart
};

/// A peer that has not moved for so long has stalled; before that it may just have connected.
inline constexpr std::chrono::milliseconds stalled_after{1'000};

/// The index of the one that goes: a stalled one before one that follows what happens, and that before one
/// that came just now; among these, of the peer that holds most places; of those, the one that waits longest.
/// `claims` is not empty.
std::size_t least_deserving(std::span<const Claim> claims, std::chrono::steady_clock::time_point now);

/// Who is at the other end of a TCP connection, as far as places go: an IPv4 address, or the /64 of an IPv6
/// address, for that is what one host or one customer has. Empty for unix sockets, and when it has gone.
std::string peer_of(int descriptor);

}  // namespace arizuko::api
