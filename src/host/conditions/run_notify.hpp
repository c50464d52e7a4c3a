// The address that one run is given as $NOTIFY_SOCKET. Private to the host layer.
#pragma once

#include <memory>

#include "notify_socket.hpp"

namespace arizuko::host {

struct RunNotify {
  std::unique_ptr<NotifySocket> socket;
  bool said = false;  // something that came by it was not taken, and people were told
};

}  // namespace arizuko::host
