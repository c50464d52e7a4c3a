// Reads one output of one run and hands on whole lines.
//
// The pipe outlives the main process as long as anybody holds its other end. Bytes are read into one
// buffer shared by all pipes (one thread), for a bounded while in a row, so that a daemon that floods
// leaves the loop to the others.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "arizuko/host/line_splitter.hpp"
#include "arizuko/host/log_output.hpp"

namespace arizuko::host {

class LogPipe : public std::enable_shared_from_this<LogPipe> {
 public:
  using Take = std::function<void(const Line&)>;
  using Closed = std::function<void()>;

  /// Takes ownership of `descriptor` (the reading end, non-blocking).
  LogPipe(boost::asio::io_context& io, int descriptor, Take take, Closed closed);

  void start();
  /// Reads what is there now: before the end of a run is told, so that its last words are known.
  void drain();
  /// No more callbacks; the descriptor is closed.
  void close();

 private:
  enum class ReadResult { more, empty, ended };

  void wait();
  ReadResult read_in_a_row();
  ReadResult read_some(std::size_t& bytes);
  void finish();

  boost::asio::posix::stream_descriptor descriptor_;
  LineSplitter splitter_;
  Take take_;
  Closed closed_;
  bool open_ = true;
};

}  // namespace arizuko::host
