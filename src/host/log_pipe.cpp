#include "log_pipe.hpp"

#include <array>
#include <cerrno>
#include <new>

#include <unistd.h>

namespace arizuko::host {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;  // a pipe's own capacity
// In a row, until the pipe is empty: a daemon that writes line by line is then read in batches, one
// that floods still leaves the loop to the others after half a megabyte.
constexpr int max_reads = 64;
constexpr std::size_t max_bytes = 8 * read_bytes;

// One thread: no two pipes read at the same moment.
std::array<char, read_bytes>& shared_buffer() {
  static std::array<char, read_bytes> buffer;
  return buffer;
}

}  // namespace

LogPipe::LogPipe(boost::asio::io_context& io, int descriptor, Take take, Closed closed)
    : descriptor_(io, descriptor), take_(std::move(take)), closed_(std::move(closed)) {}

void LogPipe::start() { wait(); }

void LogPipe::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (error || !self->open_) return;
                           if (self->read_in_a_row() == ReadResult::ended) return self->finish();
                           if (self->open_) self->wait();
                         });
}

void LogPipe::drain() {
  if (open_ && read_in_a_row() == ReadResult::ended) finish();
}

LogPipe::ReadResult LogPipe::read_in_a_row() {
  std::size_t bytes = 0;
  for (int reads = 0; open_ && reads < max_reads && bytes < max_bytes; ++reads) {
    const ReadResult result = read_some(bytes);
    if (result != ReadResult::more) return result;
  }
  return ReadResult::more;
}

LogPipe::ReadResult LogPipe::read_some(std::size_t& bytes) {
  std::array<char, read_bytes>& buffer = shared_buffer();
  const ssize_t count = ::read(descriptor_.native_handle(), buffer.data(), buffer.size());
  if (count == 0) return ReadResult::ended;
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR ? ReadResult::empty : ReadResult::ended;
  }
  bytes += static_cast<std::size_t>(count);
  try {
    splitter_.feed({buffer.data(), static_cast<std::size_t>(count)}, take_);
  } catch (const std::bad_alloc&) {
    // No memory to keep the beginning of a line: it is lost, its pipe is read on.
  }
  return ReadResult::more;
}

void LogPipe::finish() {
  if (!open_) return;
  open_ = false;
  splitter_.finish(take_);
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  if (closed_) closed_();
}

void LogPipe::close() {
  open_ = false;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace arizuko::host
