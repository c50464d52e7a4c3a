// Between routd and runed: a turn is posted to runed, and asked for until it is over.
//
//   POST /v1/runs       {"folder", "request"}: 202 {"id"}; 429 when MAX_CONCURRENT_CONTAINERS run
//   GET  /v1/runs/ID    {"state": "running"}, or {"state": "done"}, or {"state": "failed", "error"}, once
//
// Both with a service token. The paths are the rehearsal's own: facts of the real ones are not known here.
#pragma once

#include "credentials.hpp"
#include "daemon.hpp"
#include "turn.hpp"

#include <chrono>
#include <expected>
#include <string>

namespace rehearsal {

// Of RUNED_RUN_TIMEOUT, 20 min by itself: the same in routd and runed, or one gives up before the other (N8).
std::chrono::milliseconds run_timeout();

// routd's side: posts, and asks until the run is over or RUNED_RUN_TIMEOUT and 2 min have passed.
asio::awaitable<std::expected<std::string, std::string>> dispatch(Daemon& daemon, Credentials& credentials,
                                                                  std::string runed_url, std::string folder,
                                                                  std::string request);

inline constexpr std::chrono::milliseconds asks_every{100};

}  // namespace rehearsal
