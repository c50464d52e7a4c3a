// Our own three streams: standard input to read, the two outputs to write, without blocking the one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <span>

#include "attach_channels.hpp"

namespace arizuko::agents {

namespace asio = boost::asio;

class Console {
 public:
  explicit Console(asio::io_context& io);
  /// Puts back the file status flags: the descriptions are shared with whoever started us.
  ~Console() { restore(); }
  void restore();

  /// The number of bytes read; 0 at the end, or when it cannot be read.
  asio::awaitable<std::size_t> read(std::span<char> into);
  void stop_reading();

  /// A reader that has gone away is no error: the agent goes on, as with docker.
  asio::awaitable<void> write(Channel channel, std::string_view bytes);

 private:
  struct Stream {
    asio::posix::stream_descriptor descriptor;
    int flags = -1;
    bool open = false;
  };
  void open(int number, Stream& stream);

  Stream in_, out_, err_;
};

}  // namespace arizuko::agents
