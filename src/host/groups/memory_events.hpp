// Tells that the kernel has noted something in the memory.events of a service's control group: mostly that it
// ended a process. By inotify on those files (admin-guide/cgroup-v2.rst); nothing wakes up without an event.
// Does not read them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace arizuko::host {

class MemoryEvents {
 public:
  /// `told` is called with a service's name, once for all that its file told within `gathering`.
  MemoryEvents(boost::asio::io_context& io, std::function<void(const std::string& service)> told);

  /// Watches `file` for this service, from now on. What cannot be watched is not told, and no trouble: the
  /// end of a main process is looked into without this.
  void watch(const std::string& service, const std::string& file);

 private:
  void wait();
  void take_events();
  void tell();

  std::function<void(const std::string&)> told_;
  boost::asio::posix::stream_descriptor inotify_;
  boost::asio::steady_timer timer_;
  std::map<int, std::string> services_;  // by watch descriptor
  std::set<std::string> noted_;
};

}  // namespace arizuko::host
