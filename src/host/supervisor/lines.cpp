#include "lines.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "clock.hpp"

namespace arizuko::host {

namespace {

constexpr plan::Duration log_patience{500};

bool holds(std::string_view text, std::string_view pattern) {
  return ::memmem(text.data(), text.size(), pattern.data(), pattern.size()) != nullptr;
}

}  // namespace

Lines::Lines(boost::asio::io_context& io, int descriptor, LogFormatter formatter, Washer& washer)
    : washer_(washer), output_(io, descriptor, std::move(formatter)) {}

void Lines::own(Level level, std::string text) {
  washer_.wash(text);
  const std::optional<std::uint64_t> left_out = repeated_.say(text, Clock::now());
  if (!left_out) return;
  if (*left_out > 0) text += fmt::format(" (and {} more times since it was last said)", *left_out);
  own_.write(level, text);
}

// The way that every line takes: keep it short.
bool Lines::of_child(Origin origin, std::string_view service, const Line& line,
                     const std::vector<std::string>& drop) {
  if (!line.unfinished) ++counted_.log_lines;
  if (line.cut) ++counted_.log_lines_cut;
  for (const std::string& pattern : drop) {
    if (holds(line.text, pattern)) return false;
  }
  const bool cut = line.cut || line.begun || line.unfinished;
  const std::string_view text = washer_.washed_line(line.text, cut ? env::Ending::cut : env::Ending::whole);
  const std::int64_t time = Clock::unix_nanoseconds();
  if (line.unfinished)
    history_.add(origin.handle, origin.stream, std::string(text) + std::string(unfinished_mark), time);
  else
    history_.add(origin.handle, origin.stream, text, time);
  LogRecord record;
  record.service = service;
  record.stream = origin.stream;
  record.text = text;
  record.cut = line.cut;
  record.unfinished = line.unfinished;
  output_.write(record);
  return true;
}

Counters Lines::counters() const {
  Counters counters = counted_;
  counters.log_lines_dropped += output_.dropped_lines() + own_.lost();
  counters.log_bytes_written = output_.written_bytes();
  return counters;
}

void Lines::drain() { output_.drain(log_patience); }

}  // namespace arizuko::host
