// Tells the service manager of a bare host (systemd, Type=notify) how the instance is: READY=1 when it has
// opened, STATUS= in a line, STOPPING=1, and WATCHDOG=1 while the loop turns.
//
// The protocol is one datagram a message to $NOTIFY_SOCKET, documented as stable: sd_notify(3), NOTES. It is
// spoken here because libsystemd has no static library in Debian; a dynamic build may use that
// (ARIZUKO_LIBSYSTEMD, manager_socket.cpp). Never blocks: what the socket does not take
// is said again at the next change or sign of life. Children do not get the variables: their environment is
// explicit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::host {

struct ServiceManagerFacts {
  std::string socket;  // $NOTIFY_SOCKET: a path, or "@name" in the abstract namespace
  /// $WATCHDOG_USEC when $WATCHDOG_PID is ours or not set: how long it waits for a sign of life.
  std::optional<std::chrono::microseconds> watchdog;
};

/// nullopt: there is no service manager that wants to be told, or its address cannot be one.
std::optional<ServiceManagerFacts> service_manager_facts(
    const std::function<const char*(const char* name)>& environment, int own_pid);

class ServiceManager {
 public:
  /// From now on, as long as it lives; a sign of life every half of `watchdog`, from the loop's own turn.
  ServiceManager(boost::asio::io_context& io, Instance& instance, ServiceManagerFacts facts);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what waits on the loop holds it weakly
};

}  // namespace arizuko::host
