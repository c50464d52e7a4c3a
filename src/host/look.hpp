// One look over a TCP connection: is the port answered, and what does it say. Private to the host layer.
//
// Knows nothing of services: who asks and what follows from the answer is ConditionWatcher's matter.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace arizuko::host {

/// What of an answer is read.
inline constexpr std::size_t longest_body_bytes = 64 * 1024;

struct LookResult {
  bool holds = false;
  std::string detail;  // a short phrase for people
};

struct TcpLook {
  std::string address;  // numeric
  std::uint16_t port = 0;
  std::chrono::milliseconds timeout{};
  struct Http {
    std::string path;
    std::string contains;
  };
  std::optional<Http> http;  // unset: it is enough that the connection is accepted
  /// Asked once the connection stands: a reason to refuse it (T1), or nothing.
  std::function<std::optional<std::string>()> refuse;
};

/// A look under way. Destroying the handle does not end it; cancel() does, and then `done` is not called.
class RunningLook {
 public:
  explicit RunningLook(boost::asio::io_context& io) : socket(io), deadline(io) {}
  void cancel();

  boost::asio::ip::tcp::socket socket;
  boost::asio::steady_timer deadline;
  bool timed_out = false;
  bool cancelled = false;
};

/// Starts a look. `done` is called once, on the loop and never from inside this call.
std::shared_ptr<RunningLook> start_look(boost::asio::io_context& io, TcpLook look,
                                        std::function<void(LookResult)> done);

/// A connection to the unix socket at `path` is accepted; at once, without waiting.
LookResult look_at_unix_socket(const std::string& path);

/// "connection refused": the first letter small, as the other details.
std::string phrase(const boost::system::error_code& error);

}  // namespace arizuko::host
