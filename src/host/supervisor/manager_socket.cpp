#include "manager_socket.hpp"

#include <cstdlib>

#include <poll.h>
#include <sys/socket.h>

#include "arizuko/posix/unix_address.hpp"

#ifdef ARIZUKO_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace arizuko::host {
namespace {

posix::Descriptor datagrams() {
  return posix::Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

ManagerSocket::ManagerSocket(std::string address) : address_(std::move(address)), socket_(datagrams()) {}

#ifdef ARIZUKO_LIBSYSTEMD

// libsystemd's own socket blocks while the manager's queue is full: a connected one of ours is asked first.
bool ManagerSocket::send(const std::string& message) const {
  const auto address = posix::UnixAddress::of(address_);
  if (!address || ::connect(socket_.get(), address->get(), address->size()) != 0) return false;
  pollfd room{socket_.get(), POLLOUT, 0};
  if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return false;
  // It takes the address from the environment, and from nowhere else. Children have one of their own.
  if (::setenv("NOTIFY_SOCKET", address_.c_str(), 1) != 0) return false;
  const int sent = ::sd_notify(1, message.c_str());  // 1: and takes it out again
  return sent > 0;
}

#else

bool ManagerSocket::send(const std::string& message) const {
  const auto address = posix::UnixAddress::of(address_);
  return address && ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL, address->get(),
                             address->size()) >= 0;
}

#endif

}  // namespace arizuko::host
