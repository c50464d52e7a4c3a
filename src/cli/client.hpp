// The client's side of the control socket: finds it, trusts it only when the same user or root listens
// there, and asks, with a time-out. Errors are sentences: what, why, what would work.
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
  static constexpr std::chrono::milliseconds patience{5'000};

  explicit Client(std::string address) : address_(std::move(address)) {}

  std::expected<Reply, std::string> get(const std::string& target) const;
  std::expected<Reply, std::string> post(const std::string& target) const;

  enum class More { yes, no };
  using TakeLine = std::function<More(std::string_view line)>;
  /// Calls `take` for each line of a stream until it ends or `take` says no. A reply that is no stream
  /// (an error) is returned with its body. `wait`: how long to wait for the next line; zero: for ever.
  std::expected<Reply, std::string> stream(const std::string& target, std::chrono::milliseconds wait,
                                           const TakeLine& take) const;

  const std::string& address() const { return address_; }

 private:
  std::string address_;
};

/// Percent-encodes what may not stand in a path segment or a query value.
std::string encode(std::string_view text);

struct Places {
  std::vector<std::string> directories;  // of *.sock
  std::string proc_net_unix = "/proc/net/unix";
};
/// /run/arizuko-init, and $XDG_RUNTIME_DIR/arizuko-init.
Places usual_places();

struct Found {
  std::vector<std::string> alive;    // somebody listens who is to be believed
  std::vector<std::string> refused;  // "/run/arizuko-init/demo.sock: Permission denied"
};
/// Looks, and passes over what a stranger listens at. Where process 1 is an instance, it alone is found.
Found find_control_sockets(const Places& places);

}  // namespace arizuko::cli
