#include "subscribers.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace arizuko::host {

Subscribers::Subscribers(boost::asio::io_context& io, std::function<void()> first)
    : io_(io), first_(std::move(first)) {}

std::uint64_t Subscribers::add(std::function<void()> changed) {
  list_[++last_] = std::move(changed);
  return last_;
}

void Subscribers::tell_soon() {
  if (std::exchange(posted_, true)) return;
  boost::asio::post(io_, [this] {
    if (over_) return;
    posted_ = false;
    first_();
    tell();
  });
}

void Subscribers::tell_the_end() {
  over_ = true;
  tell();
}

void Subscribers::tell() {
  const auto listeners = list_;  // one may unsubscribe
  for (const auto& [number, changed] : listeners) {
    if (list_.contains(number)) changed();
  }
}

}  // namespace arizuko::host
