// What the looks at one condition add up to: whether it holds, when that is news, and when to look again.
//
// Looks at nothing and reads no clock: the time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "look_result.hpp"

namespace arizuko::host {

/// What a condition is looked at for.
enum class Purpose {
  readiness,     // until it was seen to hold, it does not
  liveness,      // what cannot be told is not reported at all
  whether_done,  // nor here: a task that may be done is not run again for it (T12)
};

class Judgement {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `failures`: that many looks in a row must fail before what held does not hold any more.
  Judgement(Purpose purpose, std::uint32_t failures, Time now)
      : purpose_(purpose), failures_(failures), searching_since_(now) {}

  struct News {
    enum class Kind {
      none,
      report,  // it began or ceased to hold, or the reason why it does not is another one
      doubt,   // several looks in a row could not tell: nothing follows from that, and it is said once
    };
    Kind kind = Kind::none;
    std::string detail = {};
  };
  News take(LookResult result, Time now);

  bool holds() const { return holds_; }

  /// From one look to the next; `every` is the condition's own pause, once it holds.
  std::chrono::milliseconds pause(std::chrono::milliseconds every, Time now) const;

 private:
  bool counts_as_no() const { return purpose_ == Purpose::readiness && !holds_; }

  Purpose purpose_;
  std::uint32_t failures_;
  Time searching_since_;  // since when it does not hold
  bool holds_ = false;
  bool reported_ = false;
  std::string detail_;  // as last reported
  Time detail_at_{};
  std::uint32_t failed_looks_ = 0;  // in a row, while it holds
  std::uint32_t unsure_looks_ = 0;  // in a row, that could not tell
};

}  // namespace arizuko::host
