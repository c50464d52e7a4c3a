// What the exit code of arizuko-init says: the one list (docs/reference/cli.md tells it to operators).
//
// Numbers from 64 on are those of sysexits.h where one fits. Scripts and pod policies rely on them.
#pragma once

namespace arizuko::exit_code {

inline constexpr int yes = 0;  // a run that was asked to stop and stopped; a command whose answer is yes

// A command that asks a running instance.
inline constexpr int no = 1;
inline constexpr int nobody_answers = 2;

inline constexpr int usage = 64;  // EX_USAGE

// A run.
inline constexpr int gate_never_opened = 69;  // EX_UNAVAILABLE
inline constexpr int fault = 70;              // EX_SOFTWARE: of arizuko-init itself; the host ends what lives
inline constexpr int seeding_failed = 73;     // EX_CANTCREAT
inline constexpr int essential_failed = 75;   // EX_TEMPFAIL
inline constexpr int not_allowed = 77;        // EX_NOPERM
inline constexpr int wrong_plan = 78;         // EX_CONFIG; also the answer of check and doctor

}  // namespace arizuko::exit_code
