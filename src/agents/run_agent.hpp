// The life of one `docker run`: Job made, pod followed, streams attached, end explained, Job deleted.
//
// One loop looks at what is known (the pod, the streams, signals, the clock) and does what is due; two
// coroutines beside it, the watcher and the attachment, only bring news. Every wait has a bound.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "attachment.hpp"
#include "command_line.hpp"
#include "job_store.hpp"
#include "own_pod.hpp"
#include "pod_look.hpp"
#include "watcher.hpp"

namespace arizuko::agents {

/// The pod that we are in: POD_NAME, else the host name.
asio::awaitable<Result<OwnPod>> find_own_pod(ApiClient& client, const Environment& environment,
                                             std::string data_dir, Milliseconds budget);

class AgentRun {
 public:
  AgentRun(ApiClient& client, Console& console, Run run, Settings settings);

  /// The agent's exit code; a failure when there was none. To be awaited once.
  asio::awaitable<Result<int>> life(OwnPod own);

 private:
  void watch_signals();
  void follow_pod();
  void take_pod(const json::value* pod);
  void attach();
  asio::awaitable<void> attend();
  std::optional<Failure> what_is_wrong() const;
  std::optional<Failure> held_too_long() const;
  bool is_over() const;
  void look_at_clock();
  std::optional<Clock::time_point> next_look() const;
  asio::awaitable<void> wait_for_news();
  void notify();

  asio::awaitable<Result<int>> finish();
  asio::awaitable<void> fill_from_log();
  asio::awaitable<void> say(std::string text);
  asio::awaitable<void> remove_job();
  asio::awaitable<void> explain_end();

  ApiClient& client_;
  Console& console_;
  Run run_;
  Settings settings_;
  std::string run_id_;
  std::string node_;
  JobStore store_;
  AgentJob job_;
  Attachment attachment_;
  std::unique_ptr<Watcher> watcher_;
  asio::steady_timer news_;
  asio::signal_set signals_;

  PodLook look_;
  bool gone_ = false;  // the pod was there and is not any more
  bool attached_ = false;
  bool asked_to_stop_ = false;
  bool removed_ = false;
  std::optional<ApiError> lost_server_;

  Clock::time_point created_{};
  std::optional<Clock::time_point> scheduled_;
  std::optional<Clock::time_point> ended_;
  std::optional<Clock::time_point> stopped_;
  std::optional<Clock::time_point> node_lost_;
  Hold hold_ = Hold::none;
  Clock::time_point hold_since_{};
};

}  // namespace arizuko::agents
