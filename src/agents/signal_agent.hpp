// `docker kill --signal`: a signal to PID 1 of an agent's container, by exec of a small program in it.
#pragma once

#include "job_store.hpp"

namespace arizuko::agents {

/// Runs `kill -SIGNAL 1` in the container; where the image has no such program, the same in node, which every
/// agent image has.
asio::awaitable<Result<void>> signal_agent(ApiClient& client, AgentJob job, std::string signal);

}  // namespace arizuko::agents
