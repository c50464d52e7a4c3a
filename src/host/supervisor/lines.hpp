// The way of each line, a child's or our own: washed, kept for `logs`, written to our output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/host/logs/log_history.hpp"
#include "arizuko/host/logs/log_output.hpp"
#include "arizuko/host/supervisor/instance.hpp"
#include "host/logs/line_splitter.hpp"
#include "host/logs/own_log.hpp"
#include "host/logs/repeated_lines.hpp"
#include "washer.hpp"

namespace arizuko::host {

class Lines {
 public:
  /// `descriptor`, as LogOutput's. `washer` outlives this.
  Lines(boost::asio::io_context& io, int descriptor, LogFormatter formatter, Washer& washer);

  /// A line of our own. The same one over and over is said a few times, then counted.
  void own(Level level, std::string text);

  struct Origin {
    LogHistory::Handle handle;
    Stream stream;
  };
  Origin origin(std::string_view service, Stream stream) { return {history_.handle(service), stream}; }
  /// A line of a child. One that holds one of the patterns `drop` goes nowhere: false.
  bool of_child(Origin origin, std::string_view service, const Line& line,
                const std::vector<std::string>& drop);
  /// There was no memory for a line of a child.
  void lost() { ++counted_.log_lines_dropped; }

  const LogHistory& history() const { return history_; }
  /// Those that are about lines; the rest is 0.
  Counters counters() const;
  /// At the end of the run: what is not written yet, for half a second at most.
  void drain();

 private:
  Washer& washer_;
  LogHistory history_;
  RepeatedLines repeated_;
  LogOutput output_;
  OwnLog own_{history_, output_};
  Counters counted_;
};

}  // namespace arizuko::host
