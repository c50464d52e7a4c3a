#include "watcher.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

namespace arizuko::agents {
namespace {

constexpr Seconds watch_time{240};  // the server ends a watch after that, and we begin the next
constexpr Seconds watch_idle{250};
constexpr Milliseconds between_watches{100};  // a server that ends each at once is not asked in a circle
constexpr std::size_t event_limit_bytes = 2 << 20;  // etcd keeps no object over 1.5 MiB

}  // namespace

Watcher::Watcher(ApiClient& client, std::string collection, std::string selector, OnObject on_object)
    : client_(client),
      collection_(std::move(collection)),
      selector_(std::move(selector)),
      on_object_(std::move(on_object)) {}

void Watcher::stop() {
  stopped_ = true;
  stream_.close();
}

asio::awaitable<ApiResult<void>> Watcher::list() {
  Call call{http::verb::get, fmt::format("{}?limit=10&{}", collection_, selector_), ""};
  auto answer = co_await client_.call(std::move(call), Milliseconds{0});
  if (!answer) co_return std::unexpected(answer.error());
  if (stopped_) co_return ApiResult<void>{};
  position_.listed(*answer);
  progress_ = true;
  const auto* items = list_at(*answer, {"items"});
  if (position_.must_list())
    co_return std::unexpected(ApiError{0, "", collection_ + ": a list without resourceVersion", {}});
  on_object_(items == nullptr || items->empty() ? nullptr : &items->back());
  co_return ApiResult<void>{};
}

void Watcher::take_line(std::string_view line) {
  boost::system::error_code error;
  const auto event = json::parse(boosted(line), error);
  if (error || stopped_) return;
  const auto taken = position_.take(event);
  progress_ = true;
  switch (taken.kind) {
    case WatchPosition::Kind::changed: return on_object_(taken.object);
    case WatchPosition::Kind::gone: return on_object_(nullptr);
    case WatchPosition::Kind::nothing: return;
    case WatchPosition::Kind::forgotten:
    case WatchPosition::Kind::failed: return stream_.close();
  }
}

asio::awaitable<ApiResult<void>> Watcher::watch() {
  Call call{http::verb::get,
            fmt::format("{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}&{}",
                        collection_, watch_time.count(), position_.version(), selector_),
            ""};
  stream_ = OpenStream{};
  LineBuffer lines(event_limit_bytes);
  auto on_bytes = [this, &lines](std::string_view bytes) {
    lines.feed(bytes, [this](std::string_view line) { take_line(line); });
  };
  auto ended = co_await client_.stream(std::move(call), std::move(on_bytes), watch_idle, stream_);
  if (!ended && ended.error().status == 410) {
    position_.forgotten();
    co_return ApiResult<void>{};
  }
  co_return ended;
}

asio::awaitable<ApiResult<void>> Watcher::follow(Milliseconds patience) {
  unsigned failures = 0;
  auto fine_until = std::chrono::steady_clock::now();
  while (!stopped_) {
    progress_ = false;
    const bool listing = position_.must_list();
    auto result = listing ? co_await list() : co_await watch();
    if (stopped_) break;
    if (result || progress_) {
      failures = 0;
      fine_until = std::chrono::steady_clock::now();
      if (!listing) co_await client_.pause(between_watches);
      continue;
    }
    ++failures;
    const auto silent =
        std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - fine_until);
    const auto time = pause_before_retry(
        {result.error().status, result.error().retry_after, failures, silent, luck()}, patience);
    if (!time) co_return std::unexpected(result.error());
    co_await client_.pause(*time);
  }
  co_return ApiResult<void>{};
}

}  // namespace arizuko::agents
