// One agent turn as gated and routd see it (contract section 9): the socket of the group, an agent that is
// handed one JSON object, and its answer by `submit_turn` over the socket. Who runs the agent differs:
// gated's own docker command, or runed.
//
// Played only where REHEARSAL_AGENTS=1.
#pragma once

#include "config.hpp"
#include "daemon.hpp"

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rehearsal {

struct Turn {
  std::string folder = "main";
  std::string chat_jid;
  std::string prompt;
  std::string id;         // what the agent says its answer belongs to
  std::string container;  // the name that docker is given
};

// Runs the agent of a turn to its end, with `request` on its standard input. The error says how it failed.
using AgentRun = std::function<asio::awaitable<std::expected<std::string, std::string>>(const Turn& turn,
                                                                                        std::string request)>;

class TurnSocket;

// The sockets of the groups that have a turn now. Turns of one group at one time share one; the last of them
// takes the file away.
class TurnSockets {
 public:
  TurnSockets();
  ~TurnSockets();
  TurnSockets(const TurnSockets&) = delete;

  // What the agent submitted; "" when it ended well without an answer. The error is that of `agent`.
  asio::awaitable<std::expected<std::string, std::string>> run(Daemon& daemon, const Config& config,
                                                               Turn turn, const AgentRun& agent);

 private:
  std::shared_ptr<TurnSocket> enter(Daemon& daemon, const asio::any_io_executor& executor,
                                    const Config& config, const Turn& turn);
  std::string leave(const std::shared_ptr<TurnSocket>& socket, const Turn& turn);

  std::map<std::string, std::shared_ptr<TurnSocket>> sockets_;  // by folder
};

}  // namespace rehearsal
