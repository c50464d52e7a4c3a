// The end of arizuko-init for a fault of its own: its children go with it.
#pragma once

#include <chrono>

namespace arizuko::host {

/// SIGTERM to each child of this process, time for them to end, then SIGKILL to what is left, and to what
/// that leaves us, until nothing is or 2 s are over. Knows nothing of runs and engine: these may be what is
/// broken. Blocks. Every descendant becomes our child when its parent dies, for we are its reaper
/// (ProcessTable). Returns false when something would not die.
bool end_all_children(std::chrono::milliseconds patience);

}  // namespace arizuko::host
