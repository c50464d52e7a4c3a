// Reads one output of one run and hands on whole lines.
//
// The pipe outlives the main process as long as anybody holds its other end. Bytes are read into one
// buffer shared by all pipes (one thread); how much at a time is the LogReader's to say.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/host/logs/log_output.hpp"
#include "line_splitter.hpp"
#include "log_reader.hpp"

namespace arizuko::host {

class LogPipe : public std::enable_shared_from_this<LogPipe> {
 public:
  /// A line whose newline does not come within a second is handed on once, marked unfinished; whole when it
  /// comes.
  using Take = std::function<void(const Line&)>;
  using Closed = std::function<void()>;

  /// Takes ownership of `descriptor` (the reading end, non-blocking).
  LogPipe(boost::asio::io_context& io, std::shared_ptr<LogReader> reader, int descriptor, Take take,
          Closed closed);

  void start();
  enum class ReadResult { more, empty, ended };
  /// Reads until the pipe is empty or the budget is spent. What was read and is not handed on yet is kept.
  ReadResult read(LogBudget& budget);
  /// Goes on by itself from here: for the LogReader.
  void go_on(ReadResult after);
  /// What lies in it now, at most so many bytes, has been handed on when taken() has come so far.
  std::uint64_t mark(std::size_t most_bytes);
  std::uint64_t taken() const { return taken_; }
  bool is_open() const { return open_; }
  /// No more callbacks; the descriptor is closed.
  void close();

 private:
  friend class LogReader;

  void wait();
  void tell_unfinished_later();
  ReadResult read_some(LogBudget& budget);
  void hand_on(std::string_view bytes, LogBudget& budget);
  void finish();

  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer quiet_;  // runs while a line has begun and its end has not come
  std::uint64_t told_ = 0;           // taken_ when its beginning was told
  std::shared_ptr<LogReader> reader_;
  LineSplitter splitter_;
  Take take_;
  Closed closed_;
  std::string rest_;  // read, and not handed on: only of somebody who floods with short lines
  std::size_t rest_at_ = 0;
  std::uint64_t taken_ = 0;  // bytes handed on
  bool waiting_ = false;     // for the kernel to say that there is something
  bool queued_ = false;      // at the reader
  bool open_ = true;
};

}  // namespace arizuko::host
