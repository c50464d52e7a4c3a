// Reads the outputs of all runs, a slice a turn of the loop: however many daemons flood, with however short
// lines, probes, signals and timers get their turn after each slice, and each pipe its share of it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

namespace arizuko::host {

class LogPipe;

/// What may be read before somebody else is due. A line costs about 2 us whatever its length, so lines count.
struct LogBudget {
  std::size_t bytes;
  std::size_t lines;
  std::size_t reads;
  bool spent() const { return bytes == 0 || lines == 0 || reads == 0; }
};

class LogReader : public std::enable_shared_from_this<LogReader> {
 public:
  /// A turn of the loop: a few milliseconds at the most.
  static constexpr LogBudget a_turn{256 * 1024, 2048, 256};
  /// Of that, one pipe's share at a time: a pipe's own capacity.
  static constexpr LogBudget a_pipe{64 * 1024, 512, 64};

  explicit LogReader(boost::asio::io_context& io) : io_(io) {}

  /// There is something in it. In a row, until it is empty: a daemon that writes line by line is then read in
  /// batches. Then it waits again by itself.
  void read_soon(const std::shared_ptr<LogPipe>& pipe);
  /// Called after each slice.
  void when_read(std::function<void()> call) { when_read_ = std::move(call); }
  /// Nothing is read any more.
  void close();

 private:
  void post_turn();
  void turn();

  boost::asio::io_context& io_;
  std::deque<std::shared_ptr<LogPipe>> queue_;
  std::function<void()> when_read_;
  bool posted_ = false;
  bool closed_ = false;
};

}  // namespace arizuko::host
