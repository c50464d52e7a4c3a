#include "http_server.hpp"

#include <array>

#include <fmt/format.h>
#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "arizuko/api/status_json.hpp"

namespace arizuko::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Executor = asio::io_context::executor_type;
using boost::system::error_code;

namespace {

using UseAwaitable = asio::use_awaitable_t<Executor>;

auto into(error_code& error) { return asio::redirect_error(UseAwaitable{}, error); }

// One type of message for everything that is sent: each further one costs 30 kB of code.
using Message = http::response<http::string_body>;

Message message_of(Response response, unsigned version, bool keep_alive) {
  Message message(static_cast<http::status>(response.status), version);
  message.set(http::field::server, "arizuko-init");
  message.set(http::field::content_type, response.content_type);
  message.set(http::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  if (response.stream) {
    message.chunked(true);
  } else {
    message.body() = std::move(response.body);
    message.prepare_payload();
  }
  return message;
}

Response limit_answer(int status, std::string sentence) {
  Response response;
  response.status = status;
  response.body = std::move(sentence) + '\n';
  return response;
}

/// For a connection that there is no room for: what the kernel takes now, or nothing.
void send_at_once(Socket& socket, std::string_view sentence) {
  const std::string text = fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
      "Content-Length: {}\r\n\r\n{}\n",
      sentence.size() + 1, sentence);
  static_cast<void>(::send(socket.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

}  // namespace

struct HttpServer::Session {
  Session(Socket accepted, Caller who)
      : socket(std::move(accepted)), timer(socket.get_executor()), caller(std::move(who)) {}

  Socket socket;
  Timer timer;
  Caller caller;
  bool open = true;
  bool reading = true;  // waits for a request: may be sent away when room is needed
  bool timed_out = false;
  bool changed = false;  // the instance has something new
  bool peer_gone = false;
  std::uint32_t armed = 0;  // tells a time-out of an earlier wait from one of this wait
  std::uint64_t subscription = 0;

  /// Cancels what the socket does when `patience` is over.
  static void arm(const std::shared_ptr<Session>& self, std::chrono::milliseconds patience) {
    self->timed_out = false;
    const std::uint32_t mine = ++self->armed;
    self->timer.expires_after(patience);
    self->timer.async_wait([weak = std::weak_ptr(self), mine](error_code error) {
      const auto session = weak.lock();
      if (error || !session || session->armed != mine || !session->open) return;
      session->timed_out = true;
      error_code ignored;
      session->socket.cancel(ignored);
    });
  }
  void disarm() {
    ++armed;
    timer.cancel();
  }
  void close() {
    open = false;
    disarm();
    error_code ignored;
    socket.shutdown(Socket::shutdown_send, ignored);
    // Unread bytes would turn our close into a reset, and the answer would be lost with it.
    char unread[4096];
    while (::recv(socket.native_handle(), unread, sizeof unread, MSG_DONTWAIT) > 0) {
    }
    socket.close(ignored);
  }
};

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
    if (bug) std::rethrow_exception(bug);
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
  for (const SessionPtr& session : sessions_) {
    if (!session->reading) return true;
  }
  return false;
}

void HttpServer::end(const SessionPtr& session) {
  if (session->subscription != 0 && instance_ != nullptr) {
    instance_->unsubscribe(std::exchange(session->subscription, 0));
  }
  if (session->open) session->close();
  sessions_.remove(session);
}

asio::awaitable<void, Executor> HttpServer::accept_loop() {
  const auto self = shared_from_this();
  Timer pause(io_.get_executor());
  while (open_) {
    Socket socket(io_.get_executor());
    error_code error;
    co_await acceptor_.async_accept(socket, into(error));
    if (!open_) co_return;
    if (!error) {
      admit(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      // EMFILE, ENOMEM: the connection stays in the queue; looking again at once would spin.
      pause.expires_after(std::chrono::milliseconds(200));
      co_await pause.async_wait(into(error));
    }
  }
}

void HttpServer::admit(Socket socket) {
  if (sessions_.size() >= limits_.connections && !make_room()) {
    send_at_once(socket, "too many connections: as many as allowed are being answered");
    return;
  }
  Caller caller = admit_ ? admit_(socket.native_handle()) : Caller{};
  const auto session = std::make_shared<Session>(std::move(socket), std::move(caller));
  sessions_.push_back(session);
  asio::co_spawn(io_.get_executor(), serve(session),
                 [self = shared_from_this(), session](std::exception_ptr trouble) {
                   // No memory for one connection ends that connection, never the pod.
                   static_cast<void>(trouble);
                   self->end(session);
                 });
}

bool HttpServer::make_room() {
  for (const SessionPtr& session : sessions_) {
    if (!session->reading) continue;
    send_at_once(session->socket,
                 "too many connections: this one had waited longest without asking anything");
    const SessionPtr oldest = session;
    end(oldest);
    return true;
  }
  return false;
}

namespace {

/// What to answer to a request that could not be read; nullopt: nobody is there to be answered.
std::optional<Response> trouble_answer(error_code error, bool timed_out, bool began, const Limits& limits) {
  if (timed_out) {
    if (!began) return std::nullopt;
    return limit_answer(408,
                        fmt::format("the request was not complete within {} ms", limits.patience.count()));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return limit_answer(431, fmt::format("the header is longer than {} bytes", limits.header_bytes));
  }
  if (error == http::error::body_limit) {
    return limit_answer(413, fmt::format("the body is longer than {} bytes", limits.body_bytes));
  }
  const bool malformed = error.category() == http::make_error_code(http::error::bad_method).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
  if (malformed) return limit_answer(400, "this is not an HTTP request: " + error.message());
  return std::nullopt;
}

}  // namespace

asio::awaitable<void, Executor> HttpServer::serve(SessionPtr session) {
  const auto self = shared_from_this();
  beast::flat_buffer buffer(2 * limits_.header_bytes);
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(limits_.header_bytes);
    parser.body_limit(limits_.body_bytes);
    error_code error;
    Session::arm(session, limits_.patience);
    session->reading = true;
    co_await http::async_read(session->socket, buffer, parser, into(error));
    session->reading = false;
    session->disarm();
    if (!session->open || !open_) co_return;

    Response response;
    bool keep_alive = false;
    bool head = false;
    unsigned version = 11;
    if (error) {
      const bool began = parser.got_some() || buffer.size() > 0;
      std::optional<Response> answer = trouble_answer(error, session->timed_out, began, limits_);
      if (!answer) co_return;
      response = std::move(*answer);
    } else {
      const auto& message = parser.get();
      keep_alive = message.keep_alive();
      version = message.version();
      head = message.method() == http::verb::head;
      std::optional<Request> request = parse_target(message.method_string(), message.target());
      if (!session->caller.refusal.empty()) {
        response = limit_answer(403, error_json(session->caller.refusal));
        response.body.pop_back();
        response.content_type = "application/json";
      } else if (!request) {
        response = limit_answer(400, "the target of the request is malformed");
      } else {
        request->by = session->caller.by;
        response = route_(*request);
        instance_->redact(response.body);
      }
    }

    if (response.stream && !head) {
      co_await stream(session, std::move(response));
      co_return;
    }
    const Message message = message_of(std::move(response), version, keep_alive);
    http::response_serializer<http::string_body> serializer(message);
    Session::arm(session, limits_.patience);
    if (head) {
      co_await http::async_write_header(session->socket, serializer, into(error));
    } else {
      co_await http::async_write(session->socket, serializer, into(error));
    }
    session->disarm();
    if (error || !keep_alive || !session->open) co_return;
  }
}

namespace {

// Notices that the reader has gone while there is nothing to write. What it sends is thrown away.
template <typename SessionPtr>
void watch_peer(const SessionPtr& session, const std::shared_ptr<std::array<char, 256>>& waste) {
  session->socket.async_read_some(asio::buffer(*waste), [session, waste](error_code error, std::size_t) {
    if (!error) return watch_peer(session, waste);
    session->peer_gone = true;
    session->timer.cancel();
  });
}

}  // namespace

asio::awaitable<void, Executor> HttpServer::stream(SessionPtr session, Response response) {
  const std::shared_ptr<LineStream> lines = response.stream;
  const Message message = message_of(std::move(response), 11, false);
  http::response_serializer<http::string_body> serializer(message);
  error_code error;
  co_await http::async_write_header(session->socket, serializer, into(error));
  if (error || !session->open) co_return;

  session->subscription = instance_->subscribe([weak = std::weak_ptr(session)] {
    if (const auto there = weak.lock()) {
      there->changed = true;
      there->timer.cancel();
    }
  });
  watch_peer(session, std::make_shared<std::array<char, 256>>());
  // A reader may pause as long as it likes (`events --follow | less`): nothing piles up for it.
  while (session->open && !session->peer_gone) {
    session->changed = false;
    std::string piece = lines->next();
    instance_->redact(piece);
    if (!piece.empty()) {
      co_await asio::async_write(session->socket, http::make_chunk(asio::buffer(piece)), into(error));
      if (error) co_return;
      continue;
    }
    if (!lines->follow || instance_->view().state == engine::PodState::ended) {
      co_await asio::async_write(session->socket, http::make_chunk_last(), into(error));
      co_return;
    }
    if (session->changed) continue;
    session->timer.expires_at(std::chrono::steady_clock::time_point::max());
    co_await session->timer.async_wait(into(error));
  }
}

}  // namespace arizuko::api
