// What the docker command (src/agents) has written down of agents: who runs them, and whose turns fail.
//
// The file is <data dir>/.arizuko-init/agents.json. Every daemon may write there, so nothing in it is
// believed further than to be shown: bounded in bytes and number, one line of printable text each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::host {

/// From so many failures in a row on a group counts as failing: one may be the agent's own matter.
inline constexpr std::uint64_t failures_until_said = 3;

struct FailingAgents {
  std::string group;
  std::uint64_t failures = 0;  // in a row, failures_until_said at least
  std::int64_t since_unix_ms = 0;
  std::int64_t last_unix_ms = 0;
  std::string reason;
};

struct AgentsFacts {
  std::string backend;  // kubernetes, docker, none; empty: nobody has asked yet
  std::int64_t backend_since_unix_ms = 0;
  std::vector<FailingAgents> failing;  // the longest first
  bool off() const { return backend == "none"; }
};

AgentsFacts parse_agents_facts(std::string_view text);

/// nullopt: the docker command has written nothing, or what lies there is no file that can be read.
std::optional<AgentsFacts> read_agents_facts(const std::string& data_dir);

/// "Agents are off since ... (CONTAINER_BACKEND is none): ...". Empty: nothing to say.
std::string agents_sentence(const AgentsFacts& facts, std::int64_t now_unix_ms);

}  // namespace arizuko::host
