// Where lines go: formatting for people and programs, and a stdout that may stall.
//
// PID 1 never blocks on its stdout: lines are appended to a bounded buffer that is written when the
// descriptor takes bytes; what does not fit is dropped, counted, and the number is reported in the
// stream as soon as it flows again. A line is dropped whole or written whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

enum class Stream { out, err };
enum class Level { debug, info, warn, error };

/// One line on its way to stdout. `text` is final here: secret values are taken out (env::Redactor)
/// between the LineSplitter and whoever makes the record.
struct LogRecord {
  std::string_view service;  // "arizuko-init" for our own
  Stream stream = Stream::err;
  Level level = Level::info;  // of our own lines; a daemon's text line has no level
  std::string_view text;
  bool cut = false;
  bool unfinished = false;  // its newline has not come: it comes again, whole
  bool own = false;         // written by arizuko-init itself
};

inline constexpr std::string_view unfinished_mark = " [unfinished]";

/// Appends formatted records to a string. Console: "12:00:01.123 gated   | text", names aligned and
/// coloured on a terminal, a daemon's JSON line shown as "LEVEL msg key=value ...". Json: one object
/// a line; a daemon's JSON object keeps its fields byte for byte and gains "service", and where it bears no
/// time, "time" and "stream"; text is wrapped as {"time","service","stream","msg"}; invalid UTF-8 becomes
/// U+FFFD; a cut line gains "cut":true, one whose newline has not come yet "unfinished":true. Our own lines
/// are {"time","level","service","msg"}. "service" is always the name in the plan: an object's own becomes
/// "daemon_service"; where that is there too, the object is wrapped as text. Console: control characters (but
/// TAB) and bytes that are not UTF-8 are shown as \xNN, so that a daemon cannot drive the operator's
/// terminal. Time is UTC; a cut line ends in " [cut]"; our own lines begin with their level unless it is
/// info. Journal: "<4>gated: WARN msg key=value", as console but for the time, which the journal has: the
/// level is the priority that sd-daemon(3) gives a prefix for, 6 (info) for a text without one.
class LogFormatter {
 public:
  LogFormatter(plan::LogFormat format, bool colour, std::size_t name_width);
  /// `unix_nanoseconds`: wall clock, UTC.
  void append(std::string& out, const LogRecord& record, std::int64_t unix_nanoseconds);
  /// The line as people read it, without what stands before it; true when it is slog's, and so begins with
  /// its level.
  bool append_shown_line(std::string& out, const LogRecord& record, bool colour);

 private:
  void append_console(std::string& out, const LogRecord& record, std::int64_t nanoseconds);
  void append_journal(std::string& out, const LogRecord& record);
  void append_json(std::string& out, const LogRecord& record, std::int64_t nanoseconds);

  plan::LogFormat format_;
  bool colour_;
  std::size_t name_width_;
  std::int64_t cached_second_ = -1;  // the date is formatted once a second
  std::string cached_date_;          // "2026-11-22T12:00:01"
  std::string scratch_;              // for the text of one JSON string
};

class LogOutput {
 public:
  static constexpr std::size_t max_buffered_bytes = 1024 * 1024;

  /// Does not take ownership of `descriptor`. A descriptor that is shared with others (a terminal, a
  /// pipe of the container runtime) must not be made non-blocking for them: see log_output.cpp.
  LogOutput(boost::asio::io_context& io, int descriptor, LogFormatter formatter);
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  void write(const LogRecord& record);
  /// Writes what is buffered, waiting at most `patience` in all: for the end of the run.
  void drain(plan::Duration patience);

  std::uint64_t dropped_lines() const;
  std::uint64_t written_bytes() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // handlers in the loop hold it weakly
};

}  // namespace arizuko::host
