// How a message reaches the service manager: as a datagram of our own, or, in a dynamic build that asks for
// it (ARIZUKO_LIBSYSTEMD), by sd_notify(3). One of the two is compiled; nothing else knows which.
#pragma once

#include <string>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::host {

class ManagerSocket {
 public:
  /// `address`: a path, or "@name" in the abstract namespace; fits into a sockaddr_un.
  explicit ManagerSocket(std::string address);
  /// False: it was not taken, and can be said again. Never blocks.
  bool send(const std::string& message) const;

 private:
  std::string address_;
  posix::Descriptor socket_;
};

}  // namespace arizuko::host
