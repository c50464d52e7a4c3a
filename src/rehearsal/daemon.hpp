// What all stand-ins share: the loop, the log, signals in Go's manner, the HTTP server, and faults.
//
// A daemon's life is one coroutine that returns its exit code. One io_context, one thread, no
// resolver. Nothing here forks but the faults that say so.
#pragma once

#include "config.hpp"
#include "faults.hpp"
#include "http.hpp"
#include "slog.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rehearsal {

// Go's runtime catches and drops SIGUSR1 and SIGUSR2 and dumps stacks on SIGQUIT; node does not.
// SIGHUP kills both: nobody handles it (contract section 7).
enum class Runtime { Go, Node };
// webd, dashd and proxyd log one `request` line a request, /health included (T29).
enum class RequestLog { Off, On };

class Daemon {
 public:
  Daemon(std::string name, LogShape shape = LogShape::Slog, Runtime runtime = Runtime::Go);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::string& name() const { return name_; }
  const Log& log() const { return log_; }

  // Runs `life` to its end; its value is the process's exit code.
  int run(asio::awaitable<int> life);
  // Beside the life; an exception that leaves it is a panic (exit 2).
  void spawn(asio::awaitable<void> work);

  // From here on SIGTERM and SIGINT are caught; before, they kill. They are acted on only where
  // the life waits for stop_requested: a register or login in between is not cut short (T23).
  void catch_stop_signals();
  asio::awaitable<void> stop_requested();
  bool stopping() const { return stopping_; }

  asio::awaitable<void> sleep(std::chrono::milliseconds time);

  // Boot faults: to be called once the environment is checked and before anything is opened.
  // A refused value ends the daemon here with exit 1, unless its login is to refuse it.
  enum class Refused { Here, AtLogin };
  asio::awaitable<void> boot_faults(Refused refused = Refused::Here);
  // The daemon's own time to get ready, or slow-boot's. With hang-at-boot it waits for a stop
  // instead and answers false.
  asio::awaitable<bool> boot_delay(std::chrono::milliseconds usual);
  // The key that `refuse KEY VALUE` refuses now; nullopt when everything is accepted.
  std::optional<std::string> refused_key() const;
  bool fault_on(FaultKind kind) const;
  // The number of the fault: by HTTP, by the environment, by the daemon's own file, by the file `all`.
  std::optional<std::int64_t> fault_number(FaultKind kind) const;

  // Binds, listens and serves. The error has Go's words, or is the address's own. With no-listen it does
  // nothing. `handler` gets everything but /v1/rehearsal/fault; health_paths obey the health faults.
  std::expected<void, std::string> listen(const std::expected<ListenAddress, std::string>& address,
                                          Handler handler, RequestLog requests = RequestLog::Off);

 private:
  asio::awaitable<void> watch_stop_signals();
  asio::awaitable<void> watch_quit_signal();
  asio::awaitable<void> watch_fault_files();
  asio::awaitable<void> accept_loop(Tcp::acceptor acceptor, Handler handler, RequestLog requests);
  asio::awaitable<void> session(Tcp::socket socket, const Handler& handler, RequestLog requests);
  asio::awaitable<Response> answer(Request& request, const Tcp::endpoint& peer, const Handler& handler);
  Response take_fault_request(const Request& request, const Tcp::endpoint& peer);
  // Replaces what `source` asks for; faults that act once are acted when `act_now`.
  enum class ActNow { No, Yes };
  void take_faults(const std::string& source, std::string_view text, char separator, ActNow act);
  asio::awaitable<void> act_later(Fault fault);
  void apply_default_signals() const;

  std::string name_;
  Log log_;
  Runtime runtime_;
  int exit_code_ = 2;
  bool stopping_ = false;
  bool catching_ = false;
  std::size_t sessions_ = 0;
  std::vector<std::string> fault_files_;
  std::map<std::string, std::vector<Fault>> faults_;  // by source: a file, the environment, HTTP
  asio::io_context io_{1};
  asio::steady_timer stop_event_{io_};
  std::optional<asio::signal_set> stop_signals_, quit_signal_;
};

// Where the fault files of a daemon may lie, first match wins: REHEARSAL_FAULTS_DIR, else
// DATA_DIR/rehearsal/faults, else REHEARSAL_DIR/faults, else ./rehearsal/faults.
std::string fault_directory();

}  // namespace rehearsal
