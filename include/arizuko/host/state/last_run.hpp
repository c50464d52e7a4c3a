// What a supervisor that died left running on its data directory.
//
// Outside of a container, of control groups and of systemd, SIGKILL of arizuko-init leaves its daemons alive,
// with their ports and the database. They are known by their mark (run_mark.hpp). Whoever holds the lock of
// the data directory knows that their supervisor is dead, and may end them before he starts the same once
// more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arizuko/host/process/run_mark.hpp"

namespace arizuko::host {

/// The living processes of this instance, and what descends from them; without us, what we descend from, and
/// what descends from us. To be asked while holding the lock.
std::vector<MarkedProcess> left_by_last_run(std::uint32_t instance);

/// Those that we may not signal: another user's.
std::vector<MarkedProcess> out_of_reach(const std::vector<MarkedProcess>& processes);

/// SIGTERM or SIGKILL to each that is still what it was when it was found, by a handle where the kernel has
/// them; SIGCONT follows, so that a stopped one dies of it.
void signal_left(const std::vector<MarkedProcess>& processes, int signal_number);

/// "gated (pid 17), teled (pid 18)", at most five: the service, or the name of the program.
std::string to_text(const std::vector<MarkedProcess>& processes);

}  // namespace arizuko::host
