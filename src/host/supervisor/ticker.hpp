// Sends the engine its Tick when the instant has come that it named, and not before everything is told that
// happened earlier: a pod that was frozen finds both at once when it goes on.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "arizuko/engine/time.hpp"
#include "read_goal.hpp"

namespace arizuko::host {

class Ticker {
 public:
  struct Hooks {
    /// What is not read yet of outputs that may make something ready. It is being read from now on.
    std::function<std::vector<ReadGoal>()> begin_to_read;
    /// Tells which children have ended.
    std::function<void()> reap;
    /// Tells the engine.
    std::function<void()> tick;
  };
  Ticker(boost::asio::io_context& io, Hooks hooks);

  /// What the engine names at the end of each turn.
  void arm(std::optional<engine::Instant> deadline);
  /// The engine is told the Tick now.
  void taken() { tick_ = TickIs::not_due; }
  /// A slice of the outputs was read.
  void input_was_read();
  /// The run is over.
  void end();

 private:
  void time_is_over();
  void tick_after(int rounds);

  boost::asio::io_context& io_;
  Hooks hooks_;
  boost::asio::steady_timer timer_;
  std::optional<engine::Instant> armed_;
  enum class TickIs { not_due, after_the_input, on_its_way };
  TickIs tick_ = TickIs::not_due;
  std::vector<ReadGoal> goals_;
  bool over_ = false;
};

}  // namespace arizuko::host
