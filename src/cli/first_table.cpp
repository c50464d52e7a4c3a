#include "first_table.hpp"

#include <string>

#include <poll.h>
#include <unistd.h>
#include <boost/asio/post.hpp>

namespace arizuko::cli {

FirstTable::FirstTable(boost::asio::io_context& io, host::Instance& instance, Colour colour)
    : io_(io), instance_(instance), colour_(colour) {
  subscription_ = instance_.subscribe([this] { look(); });
}

FirstTable::~FirstTable() { unsubscribe(); }

void FirstTable::look() {
  const engine::View& view = instance_.view();
  if (shown_ || !view.opened || view.state != engine::PodState::running) return;
  for (const engine::ServiceView& service : view.services) {
    if (engine::mood(service.state) == engine::Mood::busy) return;
  }
  shown_ = true;
  // After the log lines of this turn. The loop does not turn without us: we live as long as it does.
  boost::asio::post(io_, [this] { show(); });
}

void FirstTable::show() {
  unsubscribe();  // a subscriber is told of each log line
  // Never waits for a terminal that has stopped: then there is no table.
  pollfd writable{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) return;
  const std::string text = '\n' + ready_table(instance_.view(), colour_) + '\n';
  static_cast<void>(!::write(STDOUT_FILENO, text.data(), text.size()));
}

void FirstTable::unsubscribe() {
  if (subscription_ != 0) instance_.unsubscribe(subscription_);
  subscription_ = 0;
}

}  // namespace arizuko::cli
