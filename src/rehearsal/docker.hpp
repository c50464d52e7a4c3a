// The calls of the docker command by gated, and today by runed (contract section 9, facts of today): those of
// their boot are made only when REHEARSAL_DOCKER=1, those of a turn only when REHEARSAL_AGENTS=1: a rehearsal
// needs no docker.
#pragma once

#include "daemon.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <vector>

namespace rehearsal {

// Runs `docker ARGUMENTS...` from PATH with the whole environment, as they do; its standard
// output, at most 64 KiB. `input`, at most 64 KiB, is its standard input, which then ends. Killed by
// SIGKILL after `limit`. The error says exit status and output.
asio::awaitable<std::expected<std::string, std::string>> docker(Daemon& daemon,
                                                                std::vector<std::string> arguments,
                                                                std::chrono::milliseconds limit,
                                                                std::string input = "");

// arizuko-<ASSISTANT_NAME>-<folder>-<unix ms>
std::string container_name(const Config& config, std::string_view folder);
// `docker run` of a turn, without the word docker. The mounts of the two lines are not the same.
std::vector<std::string> run_arguments(const Config& config, Line line, std::string_view folder,
                                       const std::string& container);

// `docker info`, then `docker ps` and `docker stop` of each orphan, one after the other (T21).
asio::awaitable<std::expected<void, std::string>> docker_boot_checks(Daemon& daemon, const Config& config);

}  // namespace rehearsal
