// Receives the sd_notify(3) datagrams of one run of a service that has a notify condition.
//
// A socket a run: whose a message is follows from where it came in, for the sender may be gone when it is
// read (systemd-notify(1) in a shell script). Who it was is known by the credentials that the kernel gives
// (SO_PASSCRED), never by what it says. An abstract address, so that no directory must be writable.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>
#include <boost/asio/io_context.hpp>

namespace arizuko::host {

/// What is read of one message; the rest is counted and left out.
inline constexpr std::size_t longest_notification_bytes = 64 * 1024;

struct Notification {
  pid_t sender = 0;  // 0: in no pid namespace that we see
  uid_t uid = 0;
  bool ready = false;        // READY=1
  bool stopping = false;     // STOPPING=1
  std::string status{};      // STATUS=..., at most 256 bytes, control characters removed
  std::size_t left_out = 0;  // bytes that were not read, with the line that they cut
};

class NotifySocket {
 public:
  using Receive = std::function<void(const Notification&)>;
  /// Throws boost::system::system_error when no socket can be had.
  NotifySocket(boost::asio::io_context& io, Receive receive);
  ~NotifySocket();
  /// The value of NOTIFY_SOCKET for children: "@arizuko-init/notify/<pid>-<random>".
  const std::string& address() const;
  /// Reads what has come in by now, without waiting for the loop.
  void drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what is under way on the loop holds it weakly
};

}  // namespace arizuko::host
