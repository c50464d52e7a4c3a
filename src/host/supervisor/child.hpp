// What the supervisor knows of one run of a service.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/logs/log_output.hpp"
#include "host/conditions/file_identity.hpp"
#include "host/conditions/run_notify.hpp"
#include "host/logs/log_pipe.hpp"

namespace arizuko::host {

/// From its start until nothing of it is left, and nobody can write to its outputs any more.
struct Child {
  enum class State {
    running,  // until its end is told: its last words come first
    ended,    // its main process is gone, leftovers are not
    gone,     // nothing of it lives that we could find; somebody may still hold an output
  };
  State state = State::running;
  env::SnapshotPtr values;                               // that it was started with
  std::map<std::uint32_t, FileIdentity> files_before{};  // of ready.file, by watch number, before it began
  std::uint64_t lines_before = 0;                        // the last line of the history before it began
  RunNotify notify{};                                    // if it has a notify condition
  std::array<std::shared_ptr<LogPipe>, 2> outputs{};     // by Stream; nullptr: at its end

  std::shared_ptr<LogPipe>& output(Stream stream) { return outputs[static_cast<std::size_t>(stream)]; }
  bool is_over() const { return state == State::gone && !outputs[0] && !outputs[1]; }
};

}  // namespace arizuko::host
