// Follows one object (the one pod or Job that a selector finds) until told to stop: list, watch, resume after
// a cut, list again after 410. Acts through ApiClient; where to go on is decided by WatchPosition.
#pragma once

#include "api_client.hpp"
#include "watch.hpp"

namespace arizuko::agents {

class Watcher {
 public:
  /// nullptr: there is no such object (any more).
  using OnObject = std::function<void(const json::value* object)>;

  /// `collection` is a path; `selector` a query, encoded: "labelSelector=..." or "fieldSelector=...".
  Watcher(ApiClient& client, std::string collection, std::string selector, OnObject on_object);

  /// Ends without error after stop(), with one when the server did not answer for `patience`.
  asio::awaitable<ApiResult<void>> follow(Milliseconds patience);
  void stop();

 private:
  asio::awaitable<ApiResult<void>> list();
  asio::awaitable<ApiResult<void>> watch();
  void take_line(std::string_view line);

  ApiClient& client_;
  std::string collection_;
  std::string selector_;
  OnObject on_object_;
  WatchPosition position_;
  OpenStream stream_;
  bool stopped_ = false;
  bool progress_ = false;  // something came since the last failure
};

}  // namespace arizuko::agents
