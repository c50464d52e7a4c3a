// Faults on demand: the words for them, and their acting out.
//
// parse_faults and fault_time are pure. act_once does to the own process what was asked: crashes,
// exits, grows, floods, forks. docs/reference/rehearsal.md is the operator's page for all of it.
#pragma once

#include "slog.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearsal {

enum class FaultKind {
  Crash,
  Exit,
  Flood,
  Grow,
  Flee,
  FleeCleanEnv,
  Orphans,  // once
  HangHealth,
  Health503,
  IgnoreTerm,
  SlowStop,
  AuthLost,  // while asked for
  Refuse,
  CrashAtBoot,
  ExitAtBoot,
  HangAtBoot,
  NoListen,
  SlowBoot,
  LoginHang,  // at boot
};

// When a fault counts: once when it is asked for, as long as it is asked for, or at the next start.
enum class FaultTime { Once, While, Boot };
FaultTime fault_time(FaultKind kind);
std::string_view fault_word(FaultKind kind);

struct Fault {
  FaultKind kind{};
  std::int64_t number = 0;             // exit code, lines, MiB, orphans, milliseconds
  std::int64_t bytes = 0;              // of a flood's line
  std::string key, value;              // of refuse
  std::chrono::milliseconds after{0};  // only for faults that act once
};

struct ParsedFaults {
  std::vector<Fault> faults;
  std::vector<std::string> errors;  // a sentence for each line that is none
};

// One fault a line; '#' begins a comment. A comma list (REHEARSAL_FAULTS) has `separator` ','.
ParsedFaults parse_faults(std::string_view text, char separator = '\n');

// The help text's lines, one fault each.
std::string_view fault_help();

// Does not return for crash and exit. The caller has waited for `after` already.
boost::asio::awaitable<void> act_once(Fault fault, const Log& log);

// What flee leaves behind: deaf to SIGTERM, SIGINT and SIGHUP, gone after an hour at the latest.
int run_runaway();

}  // namespace rehearsal
