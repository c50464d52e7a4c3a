// What `doctor` looks at on this machine or in this pod: one function a matter, each returns what it found.
//
// May read files, ask the kernel, and run `docker info`. Writes nothing but one temporary file in the data
// directory, which has no name any more once it is open. Works before the first start and beside a running
// instance. Every read is bounded. The facts about the daemons are those of docs/reference/traps.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "arizuko/doctor/finding.hpp"
#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/groups/control_groups.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::doctor {

/// Whom the instance runs as.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones
};
/// The effective user of this process.
User this_user();

struct Context {
  const plan::Plan& plan;
  const env::Snapshot& snapshot;
  User user;
  /// Guarded keys whose new value waits for an operator's word.
  std::vector<std::string> pending_guarded;
  std::vector<std::string> zone_directories = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                               "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
  host::GroupFacts groups = {};                       // ControlGroups::delegated()
  std::chrono::milliseconds docker_patience{10'000};  // gated and runed wait as long
  bool fingerprints_known = true;                     // of guarded values; false: no run has left any
};

struct CheckEntry {
  std::string_view name;
  std::string_view about;  // one line for people
  Findings (*look)(const Context& context);
};
/// Every check, in the order in which they are run and shown.
std::span<const CheckEntry> all_checks();

Findings run_all(const Context& context);

// The checks.
Findings check_data_dir(const Context& context);        // owner, mode, writable (T15)
Findings check_free_space(const Context& context);      // bytes and inodes
Findings check_file_system(const Context& context);     // WAL: shared memory, locks, no network
Findings check_lock(const Context& context);            // who holds the data directory (T25)
Findings check_last_run(const Context& context);        // what a dead run left alive
Findings check_ports(const Context& context);           // free, or held by our own (T1, T7)
Findings check_dotenv(const Context& context);          // owner and mode of .env (T15)
Findings check_skills(const Context& context);          // HOST_APP_DIR (0.7)
Findings check_users(const Context& context);           // `user`: needs root, and a way to its directory
Findings check_programs(const Context& context);        // there, executable, loader there (T39)
Findings check_time_zone(const Context& context);       // TZ needs tzdata (T27)
Findings check_docker(const Context& context);          // gated and runed exit without it (0.8)
Findings check_agents(const Context& context);          // none, or their turns fail (T40)
Findings check_control_groups(const Context& context);  // limits that nothing holds
Findings check_needed(const Context& context);          // needed values (T34)
Findings check_generated(const Context& context);       // values that `run` makes
Findings check_joined(const Context& context);          // lists of keys: missing, doubled, broken (N1)
Findings check_guarded(const Context& context);         // guarded keys that wait
Findings check_development(const Context& context);     // ARIZUKO_DEV (T18)
Findings check_assistant(const Context& context);       // ASSISTANT_NAME (T33)
Findings check_whisper(const Context& context);         // WHISPER_BASE_URL (T31)
Findings check_socket_paths(const Context& context);    // 107 bytes (T38)
Findings check_database(const Context& context);        // not empty, SQLite's, and this line's (T13)

/// What of it `run` refuses: the data of the other line, not migrated, or of an instance that has lost its
/// main database. The seed would make an empty one beside them, which people would write to.
Findings data_of_another_line(const Context& context);

// What some of them judge by, as plain facts: for tests.

/// What statfs(2) calls a file system; `where` is the directory that was asked about.
Findings judge_file_system(const std::string& where, std::uint64_t type);
/// `inodes_in_all` 0: the file system has no fixed number of them.
Findings judge_free_space(const std::string& where, std::uint64_t bytes_free, std::uint64_t inodes_free,
                          std::uint64_t inodes_in_all);
/// A guarded key whose new value waits: the old one is in use, or what sees the key does not start for it.
enum class Waits { beside_the_old_one, and_blocks };
Findings judge_guarded(const std::string& key, Waits waits);

}  // namespace arizuko::doctor
