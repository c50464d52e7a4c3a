#include "ticker.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "clock.hpp"

namespace arizuko::host {

namespace {

// The two rounds of the loop after which what a first round of epoll found has been handled, too.
constexpr int rounds_before_a_tick = 2;

}  // namespace

Ticker::Ticker(boost::asio::io_context& io, Hooks hooks) : io_(io), hooks_(std::move(hooks)), timer_(io) {}

void Ticker::arm(std::optional<engine::Instant> deadline) {
  if (tick_ != TickIs::not_due) return;
  if (over_) deadline.reset();
  if (deadline == armed_) return;
  armed_ = deadline;
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::max(engine::Nanoseconds(0), *deadline - Clock::now()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || over_) return;
    armed_.reset();
    time_is_over();
  });
}

void Ticker::time_is_over() {
  tick_ = TickIs::after_the_input;
  goals_ = hooks_.begin_to_read();
  hooks_.reap();
  tick_after(rounds_before_a_tick);
}

// Through the loop: what was read is told through it as well, and comes before us then.
void Ticker::tick_after(int rounds) {
  boost::asio::post(io_, [this, rounds] {
    if (over_ || tick_ != TickIs::after_the_input) return;
    if (rounds > 1) return tick_after(rounds - 1);
    if (!all_reached(goals_)) return;  // input_was_read goes on
    goals_.clear();
    tick_ = TickIs::on_its_way;
    hooks_.tick();
  });
}

void Ticker::input_was_read() {
  const bool waits = tick_ == TickIs::after_the_input && !goals_.empty();
  if (waits && all_reached(goals_)) tick_after(rounds_before_a_tick);
}

void Ticker::end() {
  over_ = true;
  timer_.cancel();
}

}  // namespace arizuko::host
