// The logger of arizuko-init's own lines: spdlog's, whose one sink is our history and our bounded output.
//
// What PID 1 must not have of spdlog is not there: no registry, pattern, thread or flush. A line is final
// when it comes here: secrets are taken out before (env::Redactor), and it is no format, whatever braces it
// has. Never blocks and never throws.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "arizuko/host/logs/log_history.hpp"
#include "arizuko/host/logs/log_output.hpp"

namespace arizuko::host {

inline constexpr std::string_view own_name = "arizuko-init";

/// A line of our own on its way to where it is kept and written.
struct OwnLine {
  Level level = Level::info;
  std::string_view text;
  std::int64_t unix_nanoseconds = 0;
};

class OwnLog {
 public:
  /// Both outlive it.
  OwnLog(LogHistory& history, LogOutput& output);
  /// `take` may throw: the line is lost then.
  explicit OwnLog(std::function<void(const OwnLine& line)> take);
  ~OwnLog();
  OwnLog(const OwnLog&) = delete;
  OwnLog& operator=(const OwnLog&) = delete;

  /// Lines below this one are not said; at first all are.
  void set_level(Level least) noexcept;
  void write(Level level, std::string_view text) noexcept;
  /// How many lines were lost because memory ran out.
  std::uint64_t lost() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace arizuko::host
