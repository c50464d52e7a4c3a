#include "notify_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arizuko/posix/unix_address.hpp"

namespace arizuko::host {
namespace {

constexpr std::size_t longest_status_bytes = 256;
constexpr int datagrams_a_turn = 64;  // then the loop gets its turn

[[noreturn]] void fail(const char* what) {
  throw boost::system::system_error(boost::system::error_code(errno, boost::system::system_category()), what);
}

std::string random_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) fail("getrandom");
  return fmt::format("@arizuko-init/notify/{}-{:016x}", ::getpid(), number);
}

int open_socket(const std::string& address) {
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) fail("notify socket");
  const int on = 1;
  const posix::UnixAddress name = posix::UnixAddress::of(address).value();  // of random_name(): it fits
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      ::bind(socket, name.get(), name.size()) != 0) {
    const int error = errno;
    ::close(socket);
    errno = error;
    fail("notify socket");
  }
  return socket;
}

std::string clean_status(std::string_view text) {
  std::string status;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) status += c;
  }
  if (status.size() > longest_status_bytes) {
    std::size_t end = longest_status_bytes;
    while (end > 0 && (static_cast<unsigned char>(status[end]) & 0xC0U) == 0x80U) --end;
    status.resize(end);
  }
  return status;
}

/// Without what some senders put behind a line: CR, blanks, the NUL of a C string.
std::string_view trimmed(std::string_view line) {
  constexpr std::string_view behind{" \t\r\0", 4};
  const std::size_t last = line.find_last_not_of(behind);
  return last == line.npos ? std::string_view{} : line.substr(0, last + 1);
}

Notification parse(std::string_view text) {
  Notification result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    if (line == "READY=1") result.ready = true;
    if (line == "STOPPING=1") result.stopping = true;
    if (line.starts_with("STATUS=")) result.status = clean_status(line.substr(7));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

/// The sender by its credentials. Descriptors that came along (FDSTORE=1, BARRIER=1) are closed: that is
/// also what a sender who waits at the barrier waits for.
std::optional<ucred> read_control(msghdr& message) {
  std::optional<ucred> sender;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred who{};
      std::memcpy(&who, CMSG_DATA(part), sizeof who);
      sender = who;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
        ::close(descriptor);
      }
    }
  }
  return sender;
}

}  // namespace

struct NotifySocket::Impl : std::enable_shared_from_this<Impl> {
  Impl(boost::asio::io_context& io, Receive on_receive)
      : address(random_name()), socket(io, open_socket(address)), receive(std::move(on_receive)) {}

  void wait() {
    socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](boost::system::error_code error) {
                        const auto self = weak.lock();
                        if (!self || error) return;
                        self->read();
                        if (self->socket.is_open()) self->wait();
                      });
  }

  void read() {
    for (int i = 0; i < datagrams_a_turn && socket.is_open(); ++i) {
      // Shared by all: the loop has one thread. Untouched pages of it cost nothing.
      static std::array<char, longest_notification_bytes> text;
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(253 * sizeof(int))> control;
      iovec part{text.data(), text.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      // MSG_TRUNC asks for the whole length, also of what does not fit: recv(2).
      const ssize_t got =
          ::recvmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      const std::optional<ucred> sender = read_control(message);
      if (!sender) continue;  // without SCM_CREDENTIALS nothing reaches a socket with SO_PASSCRED
      const auto length = static_cast<std::size_t>(got);
      std::string_view whole(text.data(), std::min(length, text.size()));
      if (length > text.size()) whole = whole.substr(0, whole.rfind('\n') + 1);  // half a line says nothing
      Notification told = parse(whole);
      told.sender = sender->pid;
      told.uid = sender->uid;
      told.left_out = length - whole.size();
      receive(told);
    }
  }

  std::string address;
  boost::asio::posix::stream_descriptor socket;
  Receive receive;
};

NotifySocket::NotifySocket(boost::asio::io_context& io, Receive receive)
    : impl_(std::make_shared<Impl>(io, std::move(receive))) {
  impl_->wait();
}

NotifySocket::~NotifySocket() {
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

const std::string& NotifySocket::address() const { return impl_->address; }

void NotifySocket::drain() { impl_->read(); }

}  // namespace arizuko::host
