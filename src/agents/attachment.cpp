#include "attachment.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent_job.hpp"

namespace arizuko::agents {
namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr Seconds attach_budget{60};        // until the agent has a connection that can feed it
constexpr Seconds reattach_budget{86'400};  // later only output is at stake, and the log has it
constexpr Milliseconds after_end{10'000};   // from the end of the streams to the pod's own end
constexpr Milliseconds after_cut{300};
constexpr std::size_t chunk_bytes = 8192;

/// An exception in a coroutine is a bug: it ends the program where it is seen.
void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

Attachment::Attachment(ApiClient& client, Console& console, std::function<void()> on_change)
    : client_(client), console_(console), on_change_(std::move(on_change)), ended_timer_(client.io()) {}

std::string Attachment::target(std::string_view pod, std::string_view streams) const {
  return fmt::format("{}/pods/{}/attach?container={}{}", client_.core_path(), pod, agent_container, streams);
}

void Attachment::agent_ended() {
  ended_ = true;
  ended_timer_.cancel();
}

asio::awaitable<bool> Attachment::ended_within(Milliseconds time) {
  if (!ended_) {
    ended_timer_.expires_after(time);
    auto [error] = co_await ended_timer_.async_wait(as_pair);
    (void)error;  // cancelled or over: `ended_` says which
  }
  co_return ended_;
}

asio::awaitable<void> Attachment::follow(std::string pod) {
  const auto begin = std::chrono::steady_clock::now();
  for (unsigned attempt = 1; !ended_; ++attempt) {
    const auto elapsed = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
    const bool again = co_await follow_once(pod, attempt, elapsed);
    if (!again) break;
  }
  console_.stop_reading();
  fill_.end_of_output();
  done_ = true;
  on_change_();
}

/// One connection from its making to its end. True: make another one.
asio::awaitable<bool> Attachment::follow_once(std::string pod, unsigned attempt, Milliseconds elapsed) {
  const std::string_view streams =
      input_ == Input::not_begun ? "&stdin=true&stdout=true&stderr=true" : "&stdout=true&stderr=true";
  auto opened = co_await client_.open_channels(target(pod, streams));
  if (!opened) {
    gap_ = true;
    co_return co_await retry(opened.error(), attempt, elapsed);
  }
  Socket socket = std::move(opened->socket);
  if (input_ == Input::not_begun) begin_feeding(socket, opened->can_half_close, pod);
  const auto ending = co_await read(socket);
  const bool ended = co_await ended_within(ending == WebSocket::Ending::closed ? after_end : after_cut);
  if (ended || failure_) co_return false;
  gap_ = true;
  if (input_ == Input::over) co_return true;
  failure_ = Failure{exit_run_failed,
                     "the connection to the agent broke before it had all of its input; the turn was ended"};
  co_return false;
}

asio::awaitable<bool> Attachment::retry(const ApiError& error, unsigned attempt, Milliseconds elapsed) {
  // A container that just starts or just ended is answered with 400, 404 or 500: all that passes. What does
  // not is a lacking permission, and a token that stays refused.
  const unsigned status = error.status == 401 || error.status == 403 ? error.status : 0;
  const auto budget = input_ == Input::over ? reattach_budget : attach_budget;
  const auto time = pause_before_retry({status, error.retry_after, attempt, elapsed, luck()}, budget);
  if (!time) {
    failure_ = Failure{exit_run_failed, error.text};
    co_return false;
  }
  const bool ended = co_await ended_within(*time);
  co_return !ended;
}

asio::awaitable<WebSocket::Ending> Attachment::read(Socket socket) {
  AttachChannels channels;
  std::array<std::string, 2> arrived;  // one network read's worth
  const auto take = [&](std::string_view bytes, bool begins) {
    const auto piece = channels.feed(bytes, begins ? AttachChannels::Position::begins_message
                                                   : AttachChannels::Position::continues_message);
    if (!piece) return;
    fill_.seen(piece->channel, piece->bytes);
    arrived[piece->channel == Channel::standard_output ? 0 : 1] += piece->bytes;
  };
  const auto write = [&]() -> asio::awaitable<void> {
    const auto out = std::exchange(arrived[0], {});
    const auto err = std::exchange(arrived[1], {});
    if (!out.empty()) co_await console_.write(Channel::standard_output, out);
    if (!err.empty()) co_await console_.write(Channel::standard_error, err);
  };
  const auto ending = co_await socket->read(take, write);
  // The final status is as good as a good-bye.
  co_return channels.status() ? WebSocket::Ending::closed : ending;
}

void Attachment::begin_feeding(Socket socket, bool can_half_close, std::string pod) {
  input_ = Input::feeding;
  asio::co_spawn(client_.io(), feed(std::move(socket), can_half_close, std::move(pod)), rethrow);
}

void Attachment::input_over() {
  input_ = Input::over;
  on_change_();
}

asio::awaitable<void> Attachment::feed(Socket socket, bool can_half_close, std::string pod) {
  if (can_half_close) {
    const bool pumped = co_await pump(socket);
    if (!pumped) co_return;
    const bool told = co_await socket->send(stdin_end_message());
    if (told) input_over();
    co_return;
  }
  // v4 cannot close one channel, and closing the connection would lose the output. So input gets a connection
  // of its own: where that ends, the container's `stdinOnce` closes the agent's standard input.
  auto opened = co_await client_.open_channels(target(pod, "&stdin=true"));
  if (!opened) {
    if (!ended_) failure_ = Failure{exit_run_failed, opened.error().text};
    on_change_();
    co_return;
  }
  const bool pumped = co_await pump(opened->socket);
  if (!pumped) co_return;
  co_await opened->socket->close();
  input_over();
}

/// Our standard input to its end; false when the connection broke.
asio::awaitable<bool> Attachment::pump(Socket socket) {
  std::array<char, chunk_bytes> chunk{};
  for (;;) {
    const auto bytes = co_await console_.read(chunk);
    if (bytes == 0) co_return !ended_;
    const bool sent = co_await socket->send(stdin_message({chunk.data(), bytes}));
    if (!sent) co_return false;
  }
}

}  // namespace arizuko::agents
