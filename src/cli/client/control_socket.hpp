// Where instances listen, and which of them are to be believed: only where the same user or root listens, for
// an abstract name is anybody's.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "connection.hpp"

namespace arizuko::cli {

/// For a connection, and for each answer.
inline constexpr std::chrono::milliseconds patience{5'000};

/// `address` is a path or "@NAME". The error is a phrase: "nobody listens there; is it running?".
std::expected<Connection, std::string> open_control_socket(const std::string& address);

struct Places {
  std::vector<std::string> directories;  // of *.sock
  std::string proc_net_unix = "/proc/net/unix";
};
/// /run/arizuko-init, and $XDG_RUNTIME_DIR/arizuko-init.
Places usual_places();

struct Found {
  std::vector<std::string> alive;    // somebody listens who is to be believed
  std::vector<std::string> refused;  // "/run/arizuko-init/demo.sock: Permission denied"
};
/// Looks, and passes over what a stranger listens at. Where process 1 is an instance, it alone is found.
Found find_control_sockets(const Places& places);

}  // namespace arizuko::cli
