// gated's calls of the docker command (contract section 9): those of its boot are made only when
// REHEARSAL_DOCKER=1, those of a turn only when REHEARSAL_AGENTS=1: a rehearsal needs no docker.
#pragma once

#include "daemon.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <vector>

namespace rehearsal {

// Runs `docker ARGUMENTS...` from PATH with the whole environment, as gated does; its standard
// output, at most 64 KiB. `input`, at most 64 KiB, is its standard input, which then ends. Killed by
// SIGKILL after `limit`. The error says exit status and output.
asio::awaitable<std::expected<std::string, std::string>> docker(Daemon& daemon,
                                                                std::vector<std::string> arguments,
                                                                std::chrono::milliseconds limit,
                                                                std::string input = "");

// `docker info`, then `docker ps` and `docker stop` of each orphan, one after the other (T21).
asio::awaitable<std::expected<void, std::string>> docker_boot_checks(Daemon& daemon, const Config& config);

}  // namespace rehearsal
