// What is known of the turns of all groups, over all processes of this command: who fails, since when and
// why, who runs, and when a group may be tried again (trap T40). Pure: the clock is an argument.
//
// gated answers a failed turn with a message that starts the next one; today's router does not, and what
// people write again is spaced as well. So a failing group's turns are spaced: 1 s after the first failure,
// then doubled up to 64 s (so: less than one a minute), whatever the cause; one that went well ends it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "retry.hpp"

namespace arizuko::agents {

inline constexpr Milliseconds shortest_pause{1'000};
inline constexpr Milliseconds longest_turn_pause{64'000};
inline constexpr std::size_t most_groups = 64;  // that fail; the one that failed longest ago is forgotten
inline constexpr std::size_t most_runs = 256;
inline constexpr std::size_t most_reason_bytes = 300;
inline constexpr std::size_t most_ledger_bytes = 128 << 10;

/// Unix time.
using UnixMs = std::int64_t;

struct FailingGroup {
  std::string group;
  unsigned failures = 0;  // in a row
  UnixMs since = 0;       // the first of them
  UnixMs last = 0;
  UnixMs not_before = 0;  // the next try
  std::string reason;     // of the last one: one line, no control characters
  bool operator==(const FailingGroup&) const = default;
};

/// A `docker run` that lives.
struct LiveRun {
  enum class Stage { waiting, running };
  std::string name;
  std::string group;
  int pid = 0;
  std::uint64_t born = 0;  // field 22 of /proc/PID/stat: with the pid it is one process
  Stage stage = Stage::waiting;
  bool operator==(const LiveRun&) const = default;
};

struct Ledger {
  std::string backend;  // who runs agents; empty: nobody has asked yet
  UnixMs backend_since = 0;
  std::vector<FailingGroup> groups;
  std::vector<LiveRun> runs;
  bool operator==(const Ledger&) const = default;
};

/// 1, 2, 4 ... 64 s; none before the first failure.
Milliseconds pause_after(unsigned failures);

const FailingGroup* failing(const Ledger& ledger, std::string_view group);

/// When this run may be tried: now, unless its group fails. What it gets nobody else gets: the next one is
/// told a later time.
UnixMs reserve(Ledger& ledger, std::string_view group, UnixMs now);

void note_failure(Ledger& ledger, std::string_view group, std::string_view reason, UnixMs now);
void note_success(Ledger& ledger, std::string_view group);
void note_backend(Ledger& ledger, std::string_view backend, UnixMs now);

std::string to_json(const Ledger& ledger);
/// Whatever is wrong is as if it were not there: a ledger that somebody spoilt begins anew.
Ledger read_ledger(std::string_view text);

/// One line of printable text of at most `most_reason_bytes`.
std::string one_line(std::string_view text);

}  // namespace arizuko::agents
