#include "log_pipe.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>

namespace arizuko::host {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;  // a pipe's own capacity
// A question to whoever should answer it, a progress in dots: people wait for it by then.
constexpr std::chrono::seconds quiet_time{1};

// One thread: no two pipes read at the same moment.
std::array<char, read_bytes>& shared_buffer() {
  static std::array<char, read_bytes> buffer;
  return buffer;
}

}  // namespace

LogPipe::LogPipe(boost::asio::io_context& io, std::shared_ptr<LogReader> reader, int descriptor, Take take,
                 Closed closed)
    : descriptor_(io, descriptor),
      quiet_(io),
      reader_(std::move(reader)),
      take_(std::move(take)),
      closed_(std::move(closed)) {}

void LogPipe::start() { wait(); }

void LogPipe::wait() {
  if (waiting_) return;
  waiting_ = true;
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_ = false;
                           if (!error && self->open_) self->reader_->read_soon(self);
                         });
}

void LogPipe::go_on(ReadResult after) {
  if (!open_) return;
  switch (after) {
    case ReadResult::more: return reader_->read_soon(shared_from_this());
    case ReadResult::empty: tell_unfinished_later(); return wait();
    case ReadResult::ended: return finish();
  }
}

LogPipe::ReadResult LogPipe::read(LogBudget& budget) {
  while (open_ && !budget.spent()) {
    if (rest_at_ < rest_.size()) {
      hand_on(std::string_view(rest_).substr(rest_at_), budget);
      continue;
    }
    if (const ReadResult result = read_some(budget); result != ReadResult::more) return result;
  }
  return ReadResult::more;
}

LogPipe::ReadResult LogPipe::read_some(LogBudget& budget) {
  std::array<char, read_bytes>& buffer = shared_buffer();
  --budget.reads;
  const ssize_t count = ::read(descriptor_.native_handle(), buffer.data(), buffer.size());
  if (count == 0) return ReadResult::ended;
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR ? ReadResult::empty : ReadResult::ended;
  }
  hand_on({buffer.data(), static_cast<std::size_t>(count)}, budget);
  return ReadResult::more;
}

/// `bytes` is rest_, or was just read while there is no rest.
void LogPipe::hand_on(std::string_view bytes, LogBudget& budget) {
  const bool of_rest = !rest_.empty();
  std::size_t told = 0;
  try {
    const std::size_t lines = budget.lines;
    const std::string_view left = splitter_.feed(bytes, lines, [&](const Line& line) {
      --budget.lines;
      take_(line);
    });
    told = bytes.size() - left.size();
    if (of_rest && !left.empty()) {
      rest_at_ += told;
    } else if (!left.empty()) {
      rest_.assign(left);
      rest_at_ = 0;
    }
    if (left.empty()) {
      rest_.clear();
      rest_at_ = 0;
    }
  } catch (const std::bad_alloc&) {
    // No memory to keep what was read: it is lost, its pipe is read on.
    told = bytes.size();
    rest_.clear();
    rest_at_ = 0;
  }
  taken_ += told;
  budget.bytes -= std::min(budget.bytes, told);
}

std::uint64_t LogPipe::mark(std::size_t most_bytes) {
  int in_pipe = 0;
  if (!open_ || ::ioctl(descriptor_.native_handle(), FIONREAD, &in_pipe) != 0) in_pipe = 0;
  return taken_ + std::min(most_bytes, rest_.size() - rest_at_ + static_cast<std::size_t>(in_pipe));
}

void LogPipe::tell_unfinished_later() {
  if (splitter_.begun().empty() || told_ == taken_) return;
  quiet_.expires_after(quiet_time);
  quiet_.async_wait([self = shared_from_this(), taken = taken_](const boost::system::error_code& error) {
    if (error || !self->open_ || self->taken_ != taken) return;
    self->told_ = taken;
    self->take_(Line{.text = self->splitter_.begun(), .unfinished = true});
  });
}

void LogPipe::finish() {
  if (!open_) return;
  open_ = false;
  quiet_.cancel();
  splitter_.finish(take_);
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  if (closed_) closed_();
}

void LogPipe::close() {
  open_ = false;
  quiet_.cancel();
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace arizuko::host
