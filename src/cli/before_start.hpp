// What has to be over before the first child of a run: another supervisor on the data directory, and what a
// supervisor that died left running there.
//
// Both are waited for with a bound, while the loop turns: probes are answered, and SIGTERM is heard. Nothing
// of the data directory but its lock is touched before both are over.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/state/data_lock.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"
#include "prepare.hpp"

namespace arizuko::cli {

class BeforeStart {
 public:
  struct Hooks {
    std::function<bool()> stopped;      // the instance was told to stop, and has ended
    std::function<void()> open_probes;  // called once there is something to wait for
  };
  BeforeStart(boost::asio::io_context& io, host::Supervisor& supervisor, Hooks hooks)
      : io_(io), supervisor_(supervisor), hooks_(std::move(hooks)) {}

  /// nullopt as an error: the instance was told to stop meanwhile.
  using Outcome = std::expected<host::DataLock, std::optional<Refusal>>;
  Outcome enter();

 private:
  Outcome take_lock();
  std::expected<void, std::optional<Refusal>> end_last_run();
  void wait_for(const std::string& what);

  boost::asio::io_context& io_;
  host::Supervisor& supervisor_;
  Hooks hooks_;
};

}  // namespace arizuko::cli
