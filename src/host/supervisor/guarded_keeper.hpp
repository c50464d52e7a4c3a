// What the guarded values are like, kept for the next run; where that cannot be written, it is tried again
// until it can.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "arizuko/host/state/guarded_store.hpp"
#include "context.hpp"

namespace arizuko::host {

class GuardedKeeper {
 public:
  /// Reads what the last run kept. `accepted`: the value of ARIZUKO_ACCEPT_GUARDED.
  GuardedKeeper(const Context& context, std::string_view accepted);

  /// What an operator should know of it before anything is started with `values`.
  void report(const env::Snapshot& values);
  /// Those of the plan's guarded keys whose value is not that of the last run.
  std::vector<std::string> unlike_last_run(const plan::Plan& plan, const env::Snapshot& values);
  void remember(const engine::Remember& action);
  /// Whether all that is remembered is written; where it is not, that goes on. The error is a sentence.
  std::expected<void, std::string> write_now();
  std::string digits(const std::string& key) const { return store_.digits(key); }
  const GuardedStore& store() const { return store_; }
  /// At the end of the run.
  void end();

 private:
  void write_later();

  const Context& context_;
  GuardedStore store_;
  boost::asio::steady_timer timer_;
  std::chrono::seconds pause_{0};
  bool over_ = false;
};

}  // namespace arizuko::host
