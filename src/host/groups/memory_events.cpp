#include "memory_events.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/inotify.h>
#include <unistd.h>

namespace arizuko::host {
namespace {

// Long enough that the end of a main process, which says the same, comes first; and a group that is held at
// its memory.high notes that up to a hundred times a second.
constexpr std::chrono::milliseconds gathering{500};
constexpr std::size_t read_bytes = 4096;

}  // namespace

MemoryEvents::MemoryEvents(boost::asio::io_context& io, std::function<void(const std::string&)> told)
    : told_(std::move(told)), inotify_(io), timer_(io) {
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor < 0) return;
  boost::system::error_code error;
  inotify_.assign(descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  wait();
}

void MemoryEvents::watch(const std::string& service, const std::string& file) {
  if (!inotify_.is_open()) return;
  const int number = ::inotify_add_watch(inotify_.native_handle(), file.c_str(), IN_MODIFY);
  if (number >= 0) services_[number] = service;
}

void MemoryEvents::wait() {
  inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error) return;
                        take_events();
                        wait();
                      });
}

void MemoryEvents::take_events() {
  alignas(inotify_event) char buffer[read_bytes];
  const bool gathers = !noted_.empty();
  const ssize_t got = ::read(inotify_.native_handle(), buffer, sizeof buffer);
  for (ssize_t at = 0; at < got;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    const auto found = services_.find(event->wd);
    if (found == services_.end()) continue;
    if ((event->mask & IN_IGNORED) != 0) {
      services_.erase(found);  // its group is gone
    } else {
      noted_.insert(found->second);
    }
  }
  if (gathers || noted_.empty()) return;
  timer_.expires_after(gathering);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tell();
  });
}

void MemoryEvents::tell() {
  for (const std::string& service : std::exchange(noted_, {})) told_(service);
}

}  // namespace arizuko::host
