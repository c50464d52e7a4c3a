#include "turn.hpp"

#include "json.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <filesystem>
#include <memory>

namespace rehearsal {
namespace {

namespace fs = std::filesystem;
using Local = asio::local::stream_protocol;
constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t longest_line_bytes = 1 << 20;
constexpr std::size_t longest_path_bytes = 107;  // sun_path less its NUL: unix(7)

}  // namespace

// Bound just before `docker run` and gone after it: contract 0.1. A crash leaves the file, and the next
// turn takes its place.
class TurnSocket {
 public:
  TurnSocket(const asio::any_io_executor& executor, std::string where)
      : path(std::move(where)), acceptor(executor) {}
  std::string path;
  Local::acceptor acceptor;
  std::map<std::string, std::string> answers;  // by turn; an entry for each that is under way
};

namespace {

// The one method that is played here. False: not a turn that is under way.
bool take_answer(TurnSocket& socket, const json::object& call) {
  const auto* params = call.if_contains("params");
  if (text_at(call, "method") != "submit_turn" || params == nullptr || !params->is_object()) return false;
  const auto turn = socket.answers.find(text_at(params->get_object(), "turn_id"));
  if (turn == socket.answers.end()) return false;
  turn->second = text_at(params->get_object(), "result");
  return true;
}

// Newline-delimited JSON-RPC.
asio::awaitable<void> serve_agent(std::shared_ptr<TurnSocket> socket, Local::socket agent) {
  std::string buffer;
  for (;;) {
    auto [error, bytes] = co_await asio::async_read_until(
        agent, asio::dynamic_buffer(buffer, longest_line_bytes), '\n', as_pair);
    if (error) co_return;
    const auto call = parse_object(std::string_view(buffer).substr(0, bytes)).value_or(json::object{});
    buffer.erase(0, bytes);
    json::object reply{{"jsonrpc", "2.0"}, {"id", call.contains("id") ? call.at("id") : json::value()}};
    if (take_answer(*socket, call))
      reply["result"] = json::object{{"ok", true}};
    else
      reply["error"] =
          json::object{{"code", -32601}, {"message", "only submit_turn of a running turn is rehearsed"}};
    const auto line = json::serialize(reply) + "\n";
    auto [failed, written] = co_await asio::async_write(agent, asio::buffer(line), as_pair);
    if (failed) co_return;
  }
}

asio::awaitable<void> accept_agents(Daemon& daemon, std::shared_ptr<TurnSocket> socket) {
  for (;;) {
    auto [error, agent] = co_await socket->acceptor.async_accept(as_pair);
    if (error) co_return;
    daemon.spawn(serve_agent(socket, std::move(agent)));
  }
}

std::expected<void, std::string> open_socket(TurnSocket& socket) {
  if (socket.path.size() > longest_path_bytes)
    return std::unexpected(fmt::format("listen unix {}: bind: invalid argument", socket.path));
  std::error_code failed;
  fs::create_directories(fs::path(socket.path).parent_path(), failed);
  fs::remove(socket.path, failed);
  boost::system::error_code error;
  socket.acceptor.open(Local(), error);
  if (!error) socket.acceptor.bind(Local::endpoint(socket.path), error);
  if (!error) socket.acceptor.listen(8, error);
  if (error) return std::unexpected(fmt::format("listen unix {}: {}", socket.path, error.message()));
  return {};
}

}  // namespace

TurnSockets::TurnSockets() = default;
TurnSockets::~TurnSockets() = default;

std::shared_ptr<TurnSocket> TurnSockets::enter(Daemon& daemon, const asio::any_io_executor& executor,
                                               const Config& config, const Turn& turn) {
  auto& socket = sockets_[turn.folder];
  if (!socket) {
    socket = std::make_shared<TurnSocket>(executor,
                                          fmt::format("{}/ipc/{}/gated.sock", config.data_dir, turn.folder));
    // T38: the agent runs all the same, and cannot answer.
    if (auto opened = open_socket(*socket); opened) {
      daemon.spawn(accept_agents(daemon, socket));
    } else {
      daemon.log().warn("failed to start MCP server", {{"err", opened.error()}});
    }
  }
  socket->answers[turn.id];
  return socket;
}

std::string TurnSockets::leave(const std::shared_ptr<TurnSocket>& socket, const Turn& turn) {
  auto answer = std::move(socket->answers[turn.id]);
  socket->answers.erase(turn.id);
  if (!socket->answers.empty()) return answer;
  boost::system::error_code closed;
  socket->acceptor.close(closed);
  std::error_code gone;
  fs::remove(socket->path, gone);
  sockets_.erase(turn.folder);
  return answer;
}

asio::awaitable<std::expected<std::string, std::string>> TurnSockets::run(Daemon& daemon,
                                                                          const Config& config, Turn turn,
                                                                          const AgentRun& agent) {
  auto executor = co_await asio::this_coro::executor;
  std::error_code made;
  fs::create_directories(fmt::format("{}/groups/{}", config.data_dir, turn.folder), made);
  const auto socket = enter(daemon, executor, config, turn);
  const json::object request{{"prompt", json_text(turn.prompt)},
                             {"chatJid", json_text(turn.chat_jid)},
                             {"groupFolder", json_text(turn.folder)},
                             {"messageId", json_text(turn.id)},
                             {"assistantName", json_text(config.assistant_name)}};
  auto ended = co_await agent(turn, json::serialize(request));
  auto answer = leave(socket, turn);
  if (!ended) co_return std::unexpected(ended.error());
  co_return answer;
}

}  // namespace rehearsal
