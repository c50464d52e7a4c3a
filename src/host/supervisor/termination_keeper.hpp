// Keeps the termination message up to date while the run goes on, and not more often than it is worth.
#pragma once

#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/engine/engine.hpp"
#include "arizuko/host/logs/log_history.hpp"
#include "arizuko/host/supervisor/termination_message.hpp"
#include "washer.hpp"

namespace arizuko::host {

/// What it says now, not washed yet. `culprit`: the service whose last lines matter; empty: those that are
/// not well.
TerminationReport termination_report(const engine::View& view, const LogHistory& logs,
                                     const std::string& culprit, engine::Instant now);

class TerminationKeeper {
 public:
  /// All of them outlive this. `path`: of the file.
  TerminationKeeper(boost::asio::io_context& io, std::string path, const engine::Engine& engine,
                    const LogHistory& logs, Washer& washer);

  /// It is out of date.
  void is_due() { due_ = true; }
  /// Writes it if it is out of date: at once, or soon where it was written just now.
  void refresh();
  /// For the last time.
  void write_the_end(std::string culprit);

 private:
  void write();

  const engine::Engine& engine_;
  const LogHistory& logs_;
  Washer& washer_;
  TerminationMessage message_;
  boost::asio::steady_timer timer_;
  engine::Instant written_{};
  engine::PodState state_ = engine::PodState::booting;  // as last written
  std::string culprit_;
  bool due_ = false;
  bool over_ = false;
};

}  // namespace arizuko::host
