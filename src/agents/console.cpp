#include "console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace arizuko::agents {
namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);

}  // namespace

Console::Console(asio::io_context& io)
    : in_{asio::posix::stream_descriptor(io)},
      out_{asio::posix::stream_descriptor(io)},
      err_{asio::posix::stream_descriptor(io)} {
  open(0, in_);
  open(1, out_);
  open(2, err_);
}

void Console::open(int number, Stream& stream) {
  stream.flags = ::fcntl(number, F_GETFL);
  const int copy = stream.flags < 0 ? -1 : ::fcntl(number, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return;
  boost::system::error_code error;
  stream.descriptor.assign(copy, error);
  stream.open = !error;
  if (error) ::close(copy);
}

void Console::restore() {
  for (const auto& [number, stream] : {std::pair{0, &in_}, {1, &out_}, {2, &err_}}) {
    if (stream->flags >= 0) ::fcntl(number, F_SETFL, stream->flags);
  }
}

asio::awaitable<std::size_t> Console::read(std::span<char> into) {
  if (!in_.open) co_return 0;
  auto [error, bytes] =
      co_await in_.descriptor.async_read_some(asio::buffer(into.data(), into.size()), as_pair);
  co_return error ? 0 : bytes;
}

void Console::stop_reading() {
  boost::system::error_code error;
  if (in_.open) in_.descriptor.cancel(error);
}

asio::awaitable<void> Console::write(Channel channel, std::string_view bytes) {
  Stream& stream = channel == Channel::standard_output ? out_ : err_;
  if (!stream.open) co_return;
  auto [error, written] =
      co_await asio::async_write(stream.descriptor, asio::buffer(bytes.data(), bytes.size()), as_pair);
  if (error) stream.open = false;
}

}  // namespace arizuko::agents
