// Who holds a listening socket (T1, T7): from port or path to inode (sock_diag(7), /proc/net), from inode to
// process (/proc/PID/fd). Reads only; needs no privilege for processes of the same user, and as root none but
// to take that user's identity.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace arizuko::host {

/// The inodes of the TCP sockets (v4 and v6) that listen on `port` and would be reached by a
/// connection to `address`: bound to it, or to the wildcard.
/// nullopt: it cannot be told, neither the kernel nor /proc/net says anything.
using Inodes = std::optional<std::vector<std::uint64_t>>;
Inodes find_tcp_listeners(const std::string& address, std::uint16_t port);
/// The same where what cannot be told is as good as nobody.
std::vector<std::uint64_t> tcp_listeners(const std::string& address, std::uint16_t port);

/// The inodes of unix stream sockets that listen at `path`; likewise.
Inodes find_unix_listeners(const std::string& path);
std::vector<std::uint64_t> unix_listeners(const std::string& path);

/// True when one of `pids` holds a descriptor of a socket with one of `inodes`.
bool holds_any(std::span<const pid_t> pids, std::span<const std::uint64_t> inodes);

/// Any process (that we may look at) which holds one of `inodes`: for "held by timed (pid 17)".
struct Holder {
  pid_t pid = 0;
  std::string name;  // comm
};
std::optional<Holder> find_holder(std::span<const std::uint64_t> inodes);

}  // namespace arizuko::host
