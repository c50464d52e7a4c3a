#include "arizuko/host/logs/log_output.hpp"

#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

#include <fmt/format.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

// How a write never blocks without O_NONBLOCK on a descriptor that others share:
//
//   pipe, terminal   opened again through /proc/self/fd: an open file description of our own, which
//                    may be non-blocking; the pipe or terminal behind it is the same
//   socket           send(MSG_DONTWAIT)
//   regular file     write(2): it does not wait for a reader
//   pipe, terminal that cannot be opened again (no /proc, another uid's pty):
//                    poll(2) first, then at most PIPE_BUF bytes, which a writable pipe takes whole
//
// Where several apply the best is taken. Waiting is done on an epoll descriptor of our own: Asio makes
// every descriptor that it waits on non-blocking, and would do so to the shared one.

namespace arizuko::host {
namespace asio = boost::asio;
namespace {

constexpr std::size_t flush_bytes = 64 * 1024;    // one write(2) a pipe's worth
constexpr std::size_t keep_capacity = 16 * 1024;  // what an idle buffer may hold on to

enum class Way { write, send, poll_first };

bool is_pty_master(int descriptor) {
  unsigned number = 0;
  return ::ioctl(descriptor, TIOCGPTN, &number) == 0;
}

/// An open file description of our own for the same pipe or terminal, or -1.
int open_again(int descriptor) {
  if (is_pty_master(descriptor)) return -1;  // opening /dev/ptmx makes a new terminal
  const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
  return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

std::int64_t unix_now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{} kB", (bytes + 500) / 1000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

struct LogOutput::Impl : std::enable_shared_from_this<Impl> {
  enum class Outcome { all_written, would_block, later, broken };

  Impl(asio::io_context& io, int shared_descriptor, LogFormatter line_formatter)
      : io(io), formatter(std::move(line_formatter)), descriptor(shared_descriptor) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) {
      broken = true;
    } else if (S_ISSOCK(status.st_mode)) {
      way = Way::send;
    } else if (S_ISFIFO(status.st_mode) || ::isatty(descriptor) == 1) {
      reopened = open_again(descriptor);
      if (reopened >= 0) descriptor = reopened;
      way = reopened >= 0 ? Way::write : Way::poll_first;
    }
  }

  ~Impl() {
    if (reopened >= 0) ::close(reopened);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::size_t buffered() const { return buffer.size() - head; }

  void write(const LogRecord& record) {
    if (broken || dropping || buffered() + record.text.size() > max_buffered_bytes) {
      drop(record);
      return;
    }
    const std::size_t before = buffer.size();
    formatter.append(buffer, record, unix_now());
    if (buffered() > max_buffered_bytes) {
      buffer.resize(before);
      drop(record);
      return;
    }
    if (waiting) return;
    if (buffered() >= flush_bytes) {
      flush();
    } else {
      post_flush();
    }
  }

  void drop(const LogRecord& record) {
    dropping = true;
    ++dropped_lines;
    ++unreported_lines;
    unreported_bytes += record.text.size();
    if (!broken && !waiting) post_flush();  // after ENOSPC nobody else would try again
  }

  /// Where the gap is, once there is room again. Room is half of the buffer, so that a slow reader
  /// gets stretches of whole text and few reports instead of one report a line.
  void report_drops() {
    if (!dropping || broken || buffered() > max_buffered_bytes / 2) return;
    const std::string text = fmt::format("{} log {} ({}) {} dropped: stdout did not take them",
                                         unreported_lines, unreported_lines == 1 ? "line" : "lines",
                                         size_text(unreported_bytes), unreported_lines == 1 ? "was" : "were");
    formatter.append(buffer, {.service = "arizuko-init", .level = Level::warn, .text = text, .own = true},
                     unix_now());
    dropping = false;
    unreported_lines = 0;
    unreported_bytes = 0;
  }

  /// Once a turn of the loop: lines that arrive together leave together, and none waits longer.
  void post_flush() {
    if (flush_posted) return;
    flush_posted = true;
    asio::post(io, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->flush_posted = false;
        const bool quiet = self->buffered() < 4096;
        if (!self->waiting) self->flush();
        if (quiet) self->give_back_memory();
      }
    });
  }

  void flush() {
    if (write_out() == Outcome::would_block) wait();
  }

  /// Writes until the buffer is empty or the descriptor has enough.
  Outcome write_out() {
    while (!broken) {
      report_drops();
      if (buffered() == 0) return Outcome::all_written;
      const ssize_t written = write_some();
      if (written >= 0) {
        head += static_cast<std::size_t>(written);
        written_bytes += static_cast<std::uint64_t>(written);
        compact();
        continue;
      }
      switch (errno) {
        case EINTR: continue;
        case EAGAIN: return Outcome::would_block;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
        case ENOBUFS:
        case ENOMEM: return Outcome::later;  // the next line tries again
        default: give_up();                  // EPIPE, EBADF, EIO of a terminal that is gone
      }
    }
    return Outcome::broken;
  }

  ssize_t write_some() const {
    const char* data = buffer.data() + head;
    switch (way) {
      case Way::write: return ::write(descriptor, data, std::min(buffered(), flush_bytes));
      case Way::send:
        return ::send(descriptor, data, std::min(buffered(), flush_bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
      case Way::poll_first: break;
    }
    pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
    const int count = ::poll(&ready, 1, 0);
    if (count < 0) return -1;
    if (count == 0) {
      errno = EAGAIN;
      return -1;
    }
    return ::write(descriptor, data, std::min<std::size_t>(buffered(), PIPE_BUF));
  }

  void compact() {
    if (head == buffer.size()) {
      buffer.clear();
      head = 0;
    } else if (head >= max_buffered_bytes / 2) {
      buffer.erase(0, head);
      head = 0;
    }
  }

  void give_back_memory() {
    if (buffer.empty() && buffer.capacity() > keep_capacity) buffer.shrink_to_fit();
  }

  void give_up() {
    const auto lines = std::count(buffer.begin() + static_cast<std::ptrdiff_t>(head), buffer.end(), '\n');
    dropped_lines += static_cast<std::uint64_t>(lines);
    broken = true;
    buffer.clear();
    buffer.shrink_to_fit();
    head = 0;
  }

  void wait() {
    if (waiting || !arm()) return;
    waiting = true;
    readiness->async_wait(asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            if (error) return;  // the output is gone
                            if (const auto self = weak.lock()) self->writable();
                          });
  }

  void writable() {
    waiting = false;
    epoll_event event{};
    while (::epoll_wait(readiness->native_handle(), &event, 1, 0) < 0 && errno == EINTR) {
    }
    flush();
    give_back_memory();
  }

  /// False when there is no way to be told: then each new line tries.
  bool arm() {
    epoll_event event{.events = EPOLLOUT | EPOLLONESHOT, .data = {.fd = descriptor}};
    if (readiness) return ::epoll_ctl(readiness->native_handle(), EPOLL_CTL_MOD, descriptor, &event) == 0;
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return false;
    boost::system::error_code error;
    readiness.emplace(io);
    readiness->assign(epoll, error);
    if (error) ::close(epoll);
    if (error || ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
      readiness.reset();
      return false;
    }
    return true;
  }

  void drain(plan::Duration patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (write_out() == Outcome::would_block) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left.count() <= 0) return;
      pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    }
  }

  asio::io_context& io;
  LogFormatter formatter;
  int descriptor;     // where we write: `reopened`, or what we were given
  int reopened = -1;  // owned
  Way way = Way::write;
  std::optional<asio::posix::stream_descriptor>
      readiness;  // owns the epoll descriptor; from the first stall on

  std::string buffer;  // formatted lines; those before `head` are written
  std::size_t head = 0;
  bool flush_posted = false;
  bool waiting = false;   // for the descriptor to take bytes
  bool broken = false;    // nobody will ever read: EPIPE, EBADF
  bool dropping = false;  // from the first line that did not fit until there is room
  std::uint64_t dropped_lines = 0;
  std::uint64_t unreported_lines = 0;
  std::uint64_t unreported_bytes = 0;
  std::uint64_t written_bytes = 0;
};

LogOutput::LogOutput(asio::io_context& io, int descriptor, LogFormatter formatter)
    : impl_(std::make_shared<Impl>(io, descriptor, std::move(formatter))) {}
LogOutput::~LogOutput() = default;

void LogOutput::write(const LogRecord& record) { impl_->write(record); }
void LogOutput::drain(plan::Duration patience) { impl_->drain(patience); }
std::uint64_t LogOutput::dropped_lines() const { return impl_->dropped_lines; }
std::uint64_t LogOutput::written_bytes() const { return impl_->written_bytes; }

}  // namespace arizuko::host
