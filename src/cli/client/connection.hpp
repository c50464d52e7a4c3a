// A blocking stream socket with time-outs, of the form that Beast reads from: to the control socket and to
// the probe port. The only part of cli that waits for a peer.
#pragma once

#include <chrono>
#include <expected>
#include <string_view>

#include <sys/socket.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::cli {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  struct Patience {
    std::chrono::milliseconds connect{0};                   // and to send; zero: at once or not at all
    std::chrono::milliseconds each{0};                      // wait for bytes; zero: for ever
    Clock::time_point deadline = Clock::time_point::max();  // of all waits for bytes
  };

  /// The error is an errno: ETIMEDOUT when the patience was over, EAGAIN where a unix socket's queue is full.
  static std::expected<Connection, int> open(const sockaddr& address, socklen_t size,
                                             const Patience& patience);

  /// All of `text`. A peer that has sent its answer and closed already is none that failed: the answer is
  /// there. The error is an errno.
  std::expected<void, int> send(std::string_view text);
  void set_patience(std::chrono::milliseconds each) { patience_.each = each; }
  int descriptor() const { return descriptor_.get(); }

  /// What there is, at least a byte; asio::error::eof, timed_out, or what the kernel says.
  std::size_t read_some(char* to, std::size_t room, boost::system::error_code& error);

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto each = boost::asio::buffer_sequence_begin(buffers);
         each != boost::asio::buffer_sequence_end(buffers); ++each) {
      const boost::asio::mutable_buffer buffer(*each);
      if (buffer.size() > 0) return read_some(static_cast<char*>(buffer.data()), buffer.size(), error);
    }
    return 0;
  }
  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code error;
    return read_some(buffers, error);
  }

 private:
  Connection(int descriptor, const Patience& patience) : descriptor_(descriptor), patience_(patience) {}
  bool wait() const;

  posix::Descriptor descriptor_;
  Patience patience_;
};

}  // namespace arizuko::cli
