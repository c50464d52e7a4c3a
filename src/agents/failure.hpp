// What could not be done, as a value: the text says what, where, why and what would work.
#pragma once

#include <expected>
#include <string>

namespace arizuko::agents {

// Exit codes of the docker command: https://docs.docker.com/engine/containers/run/#exit-status
inline constexpr int exit_failed = 1;
inline constexpr int exit_run_failed = 125;  // `run` itself failed, not the agent
inline constexpr int exit_killed = 137;      // 128 + SIGKILL

struct Failure {
  int code = exit_failed;
  std::string text;
};

template <class Value>
using Result = std::expected<Value, Failure>;

inline std::unexpected<Failure> fail(std::string text, int code = exit_failed) {
  return std::unexpected(Failure{code, std::move(text)});
}

}  // namespace arizuko::agents
