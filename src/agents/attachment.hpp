// The connection to an agent's three streams, for as long as it lives: made, fed with our standard input,
// read to our outputs, and made anew after a cut.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "api_client.hpp"
#include "console.hpp"
#include "log_fill.hpp"

namespace arizuko::agents {

class Attachment {
 public:
  Attachment(ApiClient& client, Console& console, std::function<void()> on_change);

  /// Runs until the agent's streams end, agent_ended() was called, or there is a failure. Once.
  asio::awaitable<void> follow(std::string pod);

  /// The pod has ended: what is still on its way may come, nothing is begun any more.
  void agent_ended();

  bool done() const { return done_; }
  /// Why the turn cannot go on: the agent has not got all of its input.
  const std::optional<Failure>& failure() const { return failure_; }
  /// Part of the output may be in the log only.
  bool has_gap() const { return gap_; }
  LogFill& fill() { return fill_; }

 private:
  using Socket = std::shared_ptr<WebSocket>;

  std::string target(std::string_view pod, std::string_view streams) const;
  asio::awaitable<bool> follow_once(std::string pod, unsigned attempt, Milliseconds elapsed);
  asio::awaitable<WebSocket::Ending> read(Socket socket);
  void input_over();
  void begin_feeding(Socket socket, bool can_half_close, std::string pod);
  asio::awaitable<void> feed(Socket socket, bool can_half_close, std::string pod);
  asio::awaitable<bool> pump(Socket socket);
  asio::awaitable<bool> ended_within(Milliseconds time);
  asio::awaitable<bool> retry(const ApiError& error, unsigned attempt, Milliseconds elapsed);

  ApiClient& client_;
  Console& console_;
  std::function<void()> on_change_;
  asio::steady_timer ended_timer_;
  LogFill fill_;
  std::optional<Failure> failure_;
  enum class Input { not_begun, feeding, over };
  Input input_ = Input::not_begun;
  bool ended_ = false;
  bool gap_ = false;
  bool done_ = false;
};

}  // namespace arizuko::agents
