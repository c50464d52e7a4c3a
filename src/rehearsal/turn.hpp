// One agent turn as gated runs it (contract section 9): the socket of the group, `docker run` with one JSON
// object on its standard input, and the answer by `submit_turn` over the socket.
//
// Played only where REHEARSAL_AGENTS=1, with the docker command that is first in PATH.
#pragma once

#include "config.hpp"
#include "daemon.hpp"

#include <expected>
#include <string>

namespace rehearsal {

struct Turn {
  std::string folder = "main";
  std::string chat_jid;
  std::string prompt;
};

// What the agent submitted; "" when it ended well without an answer. The error has gated's words: the exit
// status of docker and what it wrote.
asio::awaitable<std::expected<std::string, std::string>> run_turn(Daemon& daemon, const Config& config,
                                                                  Turn turn);

}  // namespace rehearsal
