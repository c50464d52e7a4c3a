// Events in, actions out: how much of it is done in one turn of the loop, and in which order.
//
// Whatever floods (exits, spawns, notes, lines), a turn ends after a bounded share of it, and probes,
// signals, operators and the other daemons get theirs. What happened before a deadline is told before the
// deadline is judged (ticker.hpp).
#pragma once

#include <deque>
#include <functional>

#include <boost/asio/io_context.hpp>

#include "arizuko/engine/engine.hpp"
#include "inbox.hpp"
#include "ticker.hpp"

namespace arizuko::host {

class Pump final : public Inbox {
 public:
  struct Hooks {
    std::function<void(const engine::Action&)> carry_out;
    std::function<void()> stopping;      // the pod stops: after each event from then on
    std::function<void()> turn_is_over;  // and other values may be in force
    /// Ticker::Hooks
    std::function<std::vector<ReadGoal>()> begin_to_read;
    std::function<void()> reap;
  };
  /// `engine` outlives this; nobody else tells it anything.
  Pump(boost::asio::io_context& io, engine::Engine& engine, Hooks hooks);

  void put(engine::Event event) override { inbox_.push_back(std::move(event)); }
  void push(engine::Event event) override;
  void push_soon(engine::Event event) override;
  void go_on() override;
  bool all_is_done() const override { return inbox_.empty() && to_do_.empty(); }

  /// A slice of the children's outputs was read.
  void input_was_read() { ticker_.input_was_read(); }
  /// The run is over: nothing is heard or carried out any more.
  void end();

 private:
  void hear_next();
  void go_on_soon();

  boost::asio::io_context& io_;
  engine::Engine& engine_;
  Hooks hooks_;
  Ticker ticker_;
  std::deque<engine::Event> inbox_;
  std::deque<engine::Action> to_do_;  // of the event before those of the inbox
  bool pumping_ = false;
  bool posted_ = false;
  bool over_ = false;
};

}  // namespace arizuko::host
