// What people and Kubernetes are told: history, log lines, the termination message. The one way out, and
// nothing passes it unwashed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "history.hpp"
#include "lines.hpp"
#include "subscribers.hpp"
#include "termination_keeper.hpp"
#include "washer.hpp"

namespace arizuko::host {

class Reporter {
 public:
  /// `engine` outlives this; its plan says where the termination message is.
  Reporter(boost::asio::io_context& io, const engine::Engine& engine, int log_descriptor,
           LogFormatter formatter);

  /// A line of our own.
  void log(Level level, std::string text) { lines_.own(level, std::move(text)); }
  /// A line of history, and of the log where it is worth one.
  void note(engine::Note note);
  /// A line of a child came in.
  void of_child(Lines::Origin origin, std::string_view service, const Line& line,
                const std::vector<std::string>& drop);
  /// These are the newest values and the plan that they belong to: see Washer::learn().
  void learn(const plan::Plan& coming, const env::Snapshot& newest);
  /// The run is over: the last words to everybody. `culprit`: the service it is about, or empty.
  void end(std::string culprit);

  Lines& lines() { return lines_; }
  Subscribers& subscribers() { return subscribers_; }
  Washer& washer() { return washer_; }
  std::vector<HistoryEvent> events(std::uint64_t after, std::size_t limit) const {
    return history_.since(after, limit);
  }

 private:
  const engine::Engine& engine_;
  Washer washer_;
  Lines lines_;
  History history_;
  TerminationKeeper termination_;
  Subscribers subscribers_;
};

}  // namespace arizuko::host
