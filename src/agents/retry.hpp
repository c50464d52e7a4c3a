// May a request be tried again, and when? A pure decision: what happened goes in, a pause or the end comes
// out.
#pragma once

#include <chrono>
#include <optional>

namespace arizuko::agents {

using Milliseconds = std::chrono::milliseconds;

struct Attempt {
  unsigned status = 0;  // of HTTP; 0: no answer (refused, reset, timed out)
  std::optional<Milliseconds> retry_after = std::nullopt;  // what the server asked for
  unsigned number = 1;                                     // of attempts made so far
  Milliseconds elapsed{0};                                 // since the first attempt began
  double luck = 0.5;                                       // 0 to 1: spreads many waiting commands
};

/// The pause before the next attempt; nullopt: the answer is final, or `budget` would be overrun.
std::optional<Milliseconds> pause_before_retry(const Attempt& attempt, Milliseconds budget);

}  // namespace arizuko::agents
