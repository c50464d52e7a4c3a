#include "http_server.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>

#include "arizuko/api/status_json.hpp"
#include "arizuko/posix/free_descriptors.hpp"
#include "arizuko/posix/memory_reserve.hpp"
#include "http_session.hpp"
#include "places.hpp"

namespace arizuko::api {

namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

namespace {

// Somebody whose request was refused unread may still be sending it: for so long, and so much, it is
// thrown away, for a close would be a reset and take the answer with it.
constexpr std::chrono::milliseconds refused_patience{1'000};
constexpr std::size_t parting_bytes = 256 * 1024;
// The kernel does not say when the last byte was taken: looked at so often, by who waits for that alone.
constexpr std::chrono::milliseconds between_looks{20};
// So many connections at once are more than a kubelet, a Prometheus and some people.
constexpr std::size_t crowd = 16;

/// To a connection that is closed right after it: what the kernel takes now, or nothing.
void send_at_once(Socket& socket, const Response& response) {
  const std::string text = head_text(response, 11, false) + response.body;
  static_cast<void>(::send(socket.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

Response refusal_answer(const std::string& sentence) {
  Response response = limit_answer(403, error_json(sentence));
  response.content_type = "application/json";
  return response;
}

/// A listening TCP socket hands both on to what it accepts; a unix socket does not.
void bound_memory(Socket& socket, int bytes) {
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/// accept(2): whatever else it says is about the one connection, and the next may be better.
bool nothing_left(const error_code& error) {
  return error == asio::error::no_descriptors || error == asio::error::no_memory ||
         error == asio::error::no_buffer_space || error.value() == ENFILE || error.value() == ENOSPC;
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, int family, int descriptor, host::Instance& instance,
                       Route route, Admit admit, const Limits& limits)
    : io_(io),
      acceptor_(io.get_executor(), Protocol(family, 0), descriptor),
      instance_(&instance),
      route_(std::move(route)),
      admit_(std::move(admit)),
      limits_(limits) {}

void HttpServer::start() {
  asio::co_spawn(io_.get_executor(), accept_loop(), [self = shared_from_this()](std::exception_ptr bug) {
    try {
      if (bug) std::rethrow_exception(bug);
    } catch (const std::bad_alloc&) {
      if (self->open_) self->start();
    }
  });
}

void HttpServer::close() {
  open_ = false;
  error_code ignored;
  acceptor_.close(ignored);
  for (const SessionPtr& session : std::exchange(sessions_, {})) {
    if (session->subscription != 0) instance_->unsubscribe(std::exchange(session->subscription, 0));
    if (session->open) session->close();
  }
  instance_ = nullptr;
}

bool HttpServer::busy() const {
  return std::ranges::any_of(sessions_, [](const SessionPtr& session) {
    return session->waits == Session::Waits::for_reader || session->waits == Session::Waits::for_news;
  });
}

void HttpServer::end(const SessionPtr& session) {
  if (session->subscription != 0 && instance_ != nullptr) {
    instance_->unsubscribe(std::exchange(session->subscription, 0));
  }
  if (session->open) session->close();
  sessions_.remove(session);
  if (!sessions_.empty() || most_sessions_ < crowd) return;
  // What a crowd has needed lies scattered over the heap, and malloc keeps it: megabytes, for good.
  most_sessions_ = 0;
  ::malloc_trim(0);
}

// --- accepting -------------------------------------------------------------------------------

HttpServer::Awaitable<void> HttpServer::accept_loop() {
  const auto self = shared_from_this();
  Timer pause(io_.get_executor());
  while (open_) {
    bool wait = false;
    try {
      Socket socket(io_.get_executor());
      error_code error;
      co_await acceptor_.async_accept(socket, into(error));
      if (!open_) co_return;
      if (!error) {
        admit(std::move(socket));
      } else if (nothing_left(error)) {
        // The connection stays in the queue. One of ours makes room for it; without any, looking again at
        // once would spin.
        wait = sessions_.empty();
        if (!wait) make_room();
      }
    } catch (const std::bad_alloc&) {
      wait = true;
    }
    if (!wait) continue;
    error_code ignored;
    pause.expires_after(std::chrono::milliseconds(200));
    co_await pause.async_wait(into(ignored));
  }
}

void HttpServer::admit(Socket socket) {
  Caller caller = admit_ ? admit_(socket.native_handle()) : Caller{};
  if (!caller.refusal.empty()) return send_at_once(socket, refusal_answer(caller.refusal));
  while (!sessions_.empty() && sessions_.size() >= limits_.connections) make_room();
  if (!sessions_.empty() && crowded()) make_room();
  if (!sessions_.empty() && crowded()) make_room();  // two for one: what is short becomes less so
  bound_memory(socket, limits_.socket_bytes);
  const auto session = std::make_shared<Session>(std::move(socket), std::move(caller),
                                                 limits_.header_bytes + std::size_t{512});
  sessions_.push_back(session);
  most_sessions_ = std::max(most_sessions_, sessions_.size());
  try {
    asio::co_spawn(io_.get_executor(), serve(session),
                   [self = shared_from_this(), session](std::exception_ptr trouble) {
                     // No memory for one connection ends that connection, never the pod.
                     static_cast<void>(trouble);
                     self->end(session);
                   });
  } catch (const std::bad_alloc&) {
    end(session);
  }
}

bool HttpServer::crowded() const {
  return posix::free_descriptors(limits_.descriptors) < limits_.descriptors || !posix::memory_is_ample();
}

void HttpServer::make_room() {
  std::vector<Claim> claims;
  claims.reserve(sessions_.size());
  for (const SessionPtr& session : sessions_) claims.push_back(session->claim());
  const auto index = static_cast<std::ptrdiff_t>(least_deserving(claims, SteadyClock::now()));
  const SessionPtr leaves = *std::next(sessions_.begin(), index);
  if (leaves->waits == Session::Waits::for_request && !leaves->asked) {
    send_at_once(
        leaves->socket,
        limit_answer(503, "too many connections: this one had waited longest without asking anything"));
  }
  end(leaves);
}

// --- one connection --------------------------------------------------------------------------

HttpServer::Awaitable<std::expected<RequestHead, HttpServer::Trouble>> HttpServer::read_head(
    SessionPtr session) {
  std::size_t looked = 0;
  for (;;) {
    const std::size_t end = end_of_head(session->unread(), looked);
    if (end == std::string_view::npos ? session->used > limits_.header_bytes : end > limits_.header_bytes) {
      co_return std::unexpected(
          limit_answer(431, fmt::format("the header is longer than {} bytes", limits_.header_bytes)));
    }
    if (end != std::string_view::npos) {
      std::expected<RequestHead, Response> head = parse_head(session->unread().substr(0, end), limits_);
      session->use(end);
      if (head) co_return std::move(*head);
      co_return std::unexpected(std::move(head.error()));
    }
    looked = session->used < 3 ? 0 : session->used - 3;
    error_code error;
    if (!session->timed_out) {
      session->used += co_await session->socket.async_read_some(
          asio::buffer(session->buffer.data() + session->used, session->buffer.size() - session->used),
          into(error));
    }
    if (!session->open || !open_) co_return std::unexpected(std::nullopt);
    if (session->timed_out && session->used > 0) {
      co_return std::unexpected(limit_answer(
          408, fmt::format("the request was not complete within {} ms", limits_.patience.count())));
    }
    if (error || session->timed_out) co_return std::unexpected(std::nullopt);
  }
}

HttpServer::Awaitable<bool> HttpServer::skip_body(SessionPtr session, std::uint64_t bytes) {
  for (;;) {
    const std::size_t here = std::min<std::uint64_t>(bytes, session->used);
    session->use(here);
    bytes -= here;
    if (bytes == 0) co_return true;
    if (session->timed_out) co_return false;
    error_code error;
    session->used = co_await session->socket.async_read_some(asio::buffer(session->buffer), into(error));
    if (error || !session->open || !open_) co_return false;
  }
}

HttpServer::Awaitable<bool> HttpServer::send(SessionPtr session, std::string_view text) {
  session->wait(Session::Waits::for_reader);
  while (!text.empty()) {
    if (session->timed_out) co_return false;
    error_code error;
    const std::size_t sent =
        co_await session->socket.async_write_some(asio::buffer(text.data(), text.size()), into(error));
    if (error || !session->open) co_return false;
    text.remove_prefix(sent);
  }
  co_return true;
}

Response HttpServer::answer(const Session& session, const RequestHead& head) const {
  std::optional<Request> request = parse_target(head.method, head.target);
  if (!request) return limit_answer(400, "the target of the request is malformed");
  request->by = session.caller.by;
  Response response = route_(*request);
  instance_->redact(response.body);
  return response;
}

HttpServer::Awaitable<void> HttpServer::serve(SessionPtr session) {
  const auto self = shared_from_this();
  Session::arm(session, limits_.patience);
  for (std::size_t answers = 1; co_await serve_one(session, answers); ++answers) {
  }
}

HttpServer::Awaitable<bool> HttpServer::serve_one(SessionPtr session, std::size_t answers) {
  const bool first_of_burst = session->used == 0;
  session->wait(Session::Waits::for_request);
  const std::expected<RequestHead, Trouble> head = co_await read_head(session);
  if (!head) {
    if (head.error()) co_await refuse(session, *head.error());
    co_return false;
  }
  session->asked = true;
  if (!co_await skip_body(session, head->body_bytes)) co_return false;
  if (first_of_burst) Session::arm(session, limits_.patience);

  Response response = answer(*session, *head);
  const bool wants_body = head->method != "HEAD";
  if (response.stream && wants_body) {
    co_await stream(session, std::move(response));
    co_return false;
  }
  const bool keep_alive = head->keep_alive && answers < limits_.answers;
  std::string text = head_text(response, head->version, keep_alive);
  if (wants_body) text += response.body;
  response.body = {};
  if (!co_await send(session, text)) co_return false;
  if (!keep_alive) {
    co_await part(session, limits_.patience);
    co_return false;
  }
  if (session->used == 0) Session::arm(session, limits_.patience);
  co_return true;
}

HttpServer::Awaitable<void> HttpServer::refuse(SessionPtr session, const Response& response) {
  Session::arm(session, refused_patience);
  if (co_await send(session, head_text(response, 11, false) + response.body))
    co_await part(session, refused_patience);
}

/// After an answer that is not followed by another one: keeps its place until the peer has taken it, and
/// throws away what is still coming.
HttpServer::Awaitable<void> HttpServer::part(SessionPtr session, std::chrono::milliseconds patience) {
  session->wait(Session::Waits::for_parting);
  Session::arm(session, patience);
  error_code error;
  session->socket.shutdown(Socket::shutdown_send, error);
  for (std::size_t bytes = 0; !error && bytes < parting_bytes && !session->timed_out && session->open;) {
    bytes += co_await session->socket.async_read_some(asio::buffer(session->buffer), into(error));
  }
  // One that has only closed its own side may still be reading.
  Timer look(io_.get_executor());
  while (session->open && !session->timed_out && error == asio::error::eof &&
         not_taken(session->socket) > 1) {
    error_code ignored;
    look.expires_after(between_looks);
    co_await look.async_wait(into(ignored));
  }
}

}  // namespace arizuko::api
