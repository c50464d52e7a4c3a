// One look over a TCP connection: is the port answered, and what does it say. Private to the host layer.
//
// Three answers: yes, no, and "cannot tell", which is not no. Knows nothing of services: who asks and what
// follows from the answer is ConditionWatcher's matter.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/host/conditions/http_answer.hpp"
#include "arizuko/plan/plan.hpp"
#include "look_result.hpp"

namespace arizuko::host {

/// Of whom is asked: the service about itself, where silence is a no, or another one, where it is none.
enum class Asked { itself, another };

struct TcpLook {
  std::string address;  // numeric
  std::uint16_t port = 0;
  std::chrono::milliseconds timeout{};
  Asked asked = Asked::itself;
  struct Http {
    std::string request;   // as it is sent; may hold secrets
    std::string contains;  // as it is looked for; likewise
    std::string wanted;    // what `contains` is called in messages
    std::vector<plan::StatusRange> status;
    HttpAnswer::Body body = HttpAnswer::Body::may_follow;
  };
  std::optional<Http> http;  // unset: it is enough that the connection is accepted
  /// Asked once the connection stands, before anything is sent: why it is not the right listener (T1), or
  /// nothing.
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

/// The path exists. What may not be looked at, or cannot be read just now, may exist or not.
LookResult look_at_path(const std::string& path);

/// "connection refused": the first letter small, as the other details.
std::string phrase(const boost::system::error_code& error);

}  // namespace arizuko::host
