// The same line of our own over and over: said a few times, then counted. What fails all the time must not
// fill a disk with one sentence. Bounded, and without a clock of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/time.hpp"

namespace arizuko::host {

class RepeatedLines {
 public:
  static constexpr std::size_t most_a_window = 5;
  static constexpr std::chrono::seconds window{10};
  static constexpr std::size_t most_texts = 64;  // kept in mind: the oldest goes first

  /// How often the text was left out before this time, when it is to be said now; nullopt: leave it out.
  std::optional<std::uint64_t> say(const std::string& text, engine::Instant now);

 private:
  struct Said {
    std::string text;
    engine::Instant since;
    std::size_t times = 0;
    std::uint64_t left_out = 0;
  };
  std::vector<Said> said_;
};

}  // namespace arizuko::host
