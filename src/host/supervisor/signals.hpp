// The signals that arizuko-init hears, and what each means. All others are blocked: nothing else may end us.
#pragma once

#include <functional>
#include <string>

#include <boost/asio/signal_set.hpp>

#include "arizuko/posix/own_terminal.hpp"

namespace arizuko::host {

class Signals {
 public:
  struct Hooks {
    std::function<void()> child_ended;
    std::function<void()> reload;
    std::function<void(std::string cause)> stop;
    std::function<void()> memory_was_short;  // std::bad_alloc came out of one of these
  };
  explicit Signals(boost::asio::io_context& io);

  void hear(Hooks hooks);
  void end();

 private:
  void wait();
  void take(int number);
  void take_hangup();

  posix::OwnTerminal terminal_;  // before SIGHUP is handled
  boost::asio::signal_set set_;
  Hooks hooks_;
  bool hung_up_ = false;
  bool over_ = false;
};

}  // namespace arizuko::host
