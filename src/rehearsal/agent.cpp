// An agent's container, played: reads its one JSON object to the end, answers by submit_turn over the socket
// of its group, writes an `[ant]` line, exits. Where there is no container the mounts lie below $AGENT_ROOT.
//
// Wishes in the prompt: "wait" stays until it is signalled, "pause" until SIGUSR1 and answers then, "fail
// CODE" exits with CODE and no answer.
#include "config.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "slog.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace rehearsal {
namespace {

constexpr std::size_t longest_request_bytes = 1 << 20;

std::string read_to_end(int descriptor, std::size_t limit) {
  std::string out;
  std::array<char, 4096> chunk{};
  ssize_t got = 0;
  while (out.size() <= limit && (got = ::read(descriptor, chunk.data(), chunk.size())) > 0)
    out.append(chunk.data(), static_cast<std::size_t>(got));
  return out;
}

// The reply's line, or what failed.
std::expected<std::string, std::string> call_router(const std::string& path, const std::string& line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    if (socket >= 0) ::close(socket);
    return std::unexpected(fmt::format("connect {}: {}", path, why));
  }
  write_all(socket, line);
  ::shutdown(socket, SHUT_WR);
  auto reply = read_to_end(socket, longest_request_bytes);
  ::close(socket);
  return reply;
}

// The same socket is mounted elsewhere today, and still has gated's name.
std::string socket_path() {
  const auto root = Environment::text_or("AGENT_ROOT", "");
  auto today = root + "/run/ipc/gated.sock";
  return ::access(today.c_str(), F_OK) == 0 ? today : root + "/workspace/ipc/gated.sock";
}

// JSON-RPC, one line: the method itself, not a tool of MCP (contract section 17).
int submit(const json::object& request) {
  const json::object answer{{"turn_id", json_text(text_at(request, "messageId"))},
                            {"session_id", json_text(text_at(request, "sessionId"))},
                            {"status", "success"},
                            {"result", json_text("you said: " + text_at(request, "prompt"))}};
  const json::object call{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "submit_turn"}, {"params", answer}};
  const auto reply = call_router(socket_path(), json::serialize(call) + "\n");
  const auto parsed = reply ? parse_object(*reply) : std::nullopt;
  if (parsed && parsed->contains("result")) return 0;
  write_all(2, fmt::format("[ant] submit_turn failed: {}\n", reply ? *reply : reply.error()));
  return 1;
}

}  // namespace

int run_agent() {
  sigset_t steered;  // by gated, at any time: only "pause" waits for it
  ::sigemptyset(&steered);
  ::sigaddset(&steered, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &steered, nullptr);
  const auto request = parse_object(read_to_end(0, longest_request_bytes));
  if (!request) {
    write_all(2, "[ant] standard input is not one JSON object of at most 1 MiB\n");
    return 2;
  }
  const auto prompt = text_at(*request, "prompt");
  write_all(2, fmt::format("[ant] rehearsal of an agent, not arizuko: turn for {}\n",
                           text_at(*request, "groupFolder")));
  if (prompt == "pause") {
    int number = 0;
    ::sigwait(&steered, &number);
  }
  if (prompt == "wait") {
    for (;;) ::pause();
  }
  if (prompt.starts_with("fail ")) return std::atoi(prompt.c_str() + 5);
  return submit(*request);
}

}  // namespace rehearsal
