// Receives sd_notify(3) datagrams from the services that have a notify condition.
//
// One socket for all; the sender is known by its credentials (SO_PASSCRED), never by what it says.
// An abstract address, so that no directory must be writable.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>
#include <boost/asio/io_context.hpp>

namespace arizuko::host {

struct Notification {
  pid_t sender = 0;
  bool ready = false;     // READY=1
  bool stopping = false;  // STOPPING=1
  std::string status;     // STATUS=..., at most 256 bytes, control characters removed
};

class NotifySocket {
 public:
  using Receive = std::function<void(const Notification&)>;
  /// Throws boost::system::system_error when no socket can be had.
  NotifySocket(boost::asio::io_context& io, Receive receive);
  ~NotifySocket();
  /// The value of NOTIFY_SOCKET for children: "@arizuko-init/notify/<pid>-<random>".
  const std::string& address() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what is under way on the loop holds it weakly
};

}  // namespace arizuko::host
