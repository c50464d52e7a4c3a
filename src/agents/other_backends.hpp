// The two backends that need no API server: a docker engine elsewhere, and none at all.
#pragma once

#include <span>
#include <string>

#include "command_line.hpp"
#include "settings.hpp"

namespace arizuko::agents {

/// Becomes the next `docker` in PATH that is not this program, with the words untouched; returns only when
/// there is none.
Failure exec_docker(std::span<const std::string> words, const Environment& environment);

/// The same as a child, for `run`: its exit code, or 128 and the signal that ended it. Signals that end this
/// process are handed on to it; when this process is killed, it is too.
Result<int> run_docker(std::span<const std::string> words, const Environment& environment);

/// gated and runed start, and each turn fails with one sentence.
Result<int> without_agents(const Command& command);

}  // namespace arizuko::agents
