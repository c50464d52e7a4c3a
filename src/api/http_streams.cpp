// Events and logs as they come: chunks to a reader, piece by piece.
#include <fmt/format.h>
#include <boost/asio/buffer.hpp>

#include "http_session.hpp"

namespace arizuko::api {

using boost::system::error_code;

namespace {

// What a follower sends is thrown away, too; one that sends more than this wants something else.
constexpr std::size_t follower_bytes = 64 * 1024;

// Notices that the reader has gone while there is nothing to write. What it sends is thrown away.
template <typename SessionPtr>
void watch_peer(const SessionPtr& session, std::size_t room) {
  session->socket.async_read_some(boost::asio::buffer(session->buffer),
                                  [session, room](error_code error, std::size_t bytes) {
                                    if (!error && session->open && bytes < room)
                                      return watch_peer(session, room - bytes);
                                    session->peer_gone = true;
                                    session->timer.cancel();
                                  });
}

std::string chunk(std::string_view piece) { return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece); }

}  // namespace

HttpServer::Awaitable<void> HttpServer::stream(SessionPtr session, Response response) {
  const std::shared_ptr<LineStream> lines = response.stream;
  if (!co_await send(session, head_text(response, 11, false))) co_return;
  session->disarm();
  session->subscription = instance_->subscribe([weak = std::weak_ptr(session)] {
    if (const auto there = weak.lock()) {
      there->changed = true;
      there->timer.cancel();
    }
  });
  watch_peer(session, follower_bytes);
  // A reader may pause as long as it likes (`events --follow | less`): nothing piles up for it, and it keeps
  // its place as long as nobody else needs it.
  while (session->open && !session->peer_gone) {
    session->changed = false;
    std::string piece = lines->next();
    instance_->redact(piece);
    if (!piece.empty()) {
      piece = chunk(piece);
      if (!co_await send(session, piece)) co_return;
      continue;
    }
    if (!lines->follow || instance_->view().state == engine::PodState::ended) {
      if (co_await send(session, "0\r\n\r\n")) session->wait(Session::Waits::for_parting);
      co_return;
    }
    if (session->changed) continue;
    session->wait(Session::Waits::for_news);
    error_code ignored;
    session->timer.expires_at(std::chrono::steady_clock::time_point::max());
    co_await session->timer.async_wait(into(ignored));
  }
}

}  // namespace arizuko::api
