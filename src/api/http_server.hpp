// HTTP/1.1 over a listening stream socket, whatever its family: limits, places, keep-alive, streams.
//
// One coroutine accepts, one serves each connection. The instance outlives the server, the server's
// coroutines may outlive the server: what they touch is checked through `open`. A connection for which there
// is no memory ends, and nothing else does: all its work is done inside its coroutine.
#pragma once

#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/api/routes.hpp"
#include "arizuko/api/servers.hpp"
#include "http_text.hpp"

namespace arizuko::api {

/// One protocol for TCP and unix sockets: half the templates, half the code.
using Protocol = boost::asio::generic::stream_protocol;
using Acceptor = boost::asio::basic_socket_acceptor<Protocol, boost::asio::io_context::executor_type>;
using Socket = boost::asio::basic_stream_socket<Protocol, boost::asio::io_context::executor_type>;
using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>,
                                                boost::asio::io_context::executor_type>;

/// Who is at the other end; `refusal` is not empty when that one is sent away at once.
struct Caller {
  std::string by;
  std::string refusal;
};

class HttpServer : public std::enable_shared_from_this<HttpServer> {
 public:
  using Route = std::function<Response(const Request&)>;
  using Admit = std::function<Caller(int descriptor)>;

  /// Takes ownership of `descriptor`, which listens.
  HttpServer(boost::asio::io_context& io, int family, int descriptor, host::Instance& instance, Route route,
             Admit admit, const Limits& limits);

  void start();
  /// Closes everything; no call to the instance or the route comes after it.
  void close();
  bool busy() const;

 private:
  struct Session;
  using SessionPtr = std::shared_ptr<Session>;
  template <typename Result>
  using Awaitable = boost::asio::awaitable<Result, boost::asio::io_context::executor_type>;
  /// What to answer before the connection is closed; nullopt: nobody is there to be answered.
  using Trouble = std::optional<Response>;

  Awaitable<void> accept_loop();
  Awaitable<void> serve(SessionPtr session);
  /// From one request to its answer; `answers` with this one. False: it was the connection's last.
  Awaitable<bool> serve_one(SessionPtr session, std::size_t answers);
  /// The last answer of a connection whose request was not taken.
  Awaitable<void> refuse(SessionPtr session, const Response& response);
  Awaitable<std::expected<RequestHead, Trouble>> read_head(SessionPtr session);
  Awaitable<bool> skip_body(SessionPtr session, std::uint64_t bytes);
  Awaitable<bool> send(SessionPtr session, std::string_view text);
  Awaitable<void> stream(SessionPtr session, Response response);
  Awaitable<void> part(SessionPtr session, std::chrono::milliseconds patience);
  Response answer(const Session& session, const RequestHead& head) const;
  void admit(Socket socket);
  bool crowded() const;
  void make_room();
  void end(const SessionPtr& session);

  boost::asio::io_context& io_;
  Acceptor acceptor_;
  host::Instance* instance_;
  Route route_;
  Admit admit_;
  Limits limits_;
  bool open_ = true;
  std::list<SessionPtr> sessions_;  // the oldest first
  std::size_t most_sessions_ = 0;   // at once, since there were none
};

}  // namespace arizuko::api
