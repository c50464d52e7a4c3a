// One agent turn as gated runs it (contract section 9): the socket of the group, `docker run` with one JSON
// object on its standard input, and the answer by `submit_turn` over the socket.
//
// Played only where REHEARSAL_AGENTS=1, with the docker command that is first in PATH.
#pragma once

#include "config.hpp"
#include "daemon.hpp"

#include <expected>
#include <map>
#include <memory>
#include <string>

namespace rehearsal {

struct Turn {
  std::string folder = "main";
  std::string chat_jid;
  std::string prompt;
  std::string id;         // what the agent says its answer belongs to
  std::string container;  // the name that docker is given
};

// arizuko-<ASSISTANT_NAME>-<folder>-<unix ms>
std::string container_name(const Config& config, std::string_view folder);

class TurnSocket;

// The sockets of the groups that have a turn now. Turns of one group at one time share one; the last of them
// takes the file away.
class TurnSockets {
 public:
  TurnSockets();
  ~TurnSockets();
  TurnSockets(const TurnSockets&) = delete;

  // What the agent submitted; "" when it ended well without an answer. The error has gated's words: the exit
  // status of docker and what it wrote.
  asio::awaitable<std::expected<std::string, std::string>> run(Daemon& daemon, const Config& config,
                                                               Turn turn);

 private:
  std::shared_ptr<TurnSocket> enter(Daemon& daemon, const asio::any_io_executor& executor,
                                    const Config& config, const Turn& turn);
  std::string leave(const std::shared_ptr<TurnSocket>& socket, const Turn& turn);

  std::map<std::string, std::shared_ptr<TurnSocket>> sockets_;  // by folder
};

}  // namespace rehearsal
