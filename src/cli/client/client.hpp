// Asks an instance at its control socket, with time-outs. Errors are sentences: what, why, what would work.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::cli {

struct Reply {
  int status = 0;
  std::string body;
  bool all_well = false;  // of /v1/status
};

class Client {
 public:
  explicit Client(std::string address) : address_(std::move(address)) {}

  std::expected<Reply, std::string> get(const std::string& target) const;
  std::expected<Reply, std::string> post(const std::string& target) const;

  enum class More { yes, no };
  using TakeLine = std::function<More(std::string_view line)>;
  /// Calls `take` for each line of a stream until it ends or `take` says no. A reply that is no stream
  /// (an error) is returned with its body. `wait`: how long to wait for the next line; zero: for ever.
  std::expected<Reply, std::string> stream(const std::string& target, std::chrono::milliseconds wait,
                                           const TakeLine& take) const;

 private:
  std::string address_;
};

}  // namespace arizuko::cli
