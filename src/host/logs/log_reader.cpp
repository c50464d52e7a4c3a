#include "log_reader.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "log_pipe.hpp"

namespace arizuko::host {

void LogReader::read_soon(const std::shared_ptr<LogPipe>& pipe) {
  if (closed_ || pipe->queued_) return;
  pipe->queued_ = true;
  queue_.push_back(pipe);
  post_turn();
}

void LogReader::post_turn() {
  if (std::exchange(posted_, true)) return;
  boost::asio::post(io_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->turn();
  });
}

void LogReader::turn() {
  LogBudget left = a_turn;
  while (!queue_.empty() && !left.spent()) {
    const std::shared_ptr<LogPipe> pipe = queue_.front();
    queue_.pop_front();
    pipe->queued_ = false;
    const LogBudget given{std::min(left.bytes, a_pipe.bytes), std::min(left.lines, a_pipe.lines),
                          std::min(left.reads, a_pipe.reads)};
    LogBudget share = given;
    pipe->go_on(pipe->read(share));
    left.bytes -= given.bytes - share.bytes;
    left.lines -= given.lines - share.lines;
    left.reads -= given.reads - share.reads;
  }
  posted_ = false;
  if (when_read_) when_read_();
  if (!queue_.empty()) post_turn();
}

void LogReader::close() {
  closed_ = true;
  queue_.clear();
  when_read_ = nullptr;
}

}  // namespace arizuko::host
