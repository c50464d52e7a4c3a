#include "daemon.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/stat.h>
#include <csignal>
#include <cstdlib>

namespace rehearsal {
namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr auto fault_poll = std::chrono::milliseconds(50);
constexpr std::size_t session_limit = 256;
constexpr std::size_t fault_file_limit_bytes = 64 << 10;

// Whether a file changed, without reading it.
std::string file_signature(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return fmt::format("{}:{}:{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

[[noreturn]] void panic(const std::exception_ptr& error) {
  std::string why = "unknown";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    why = known.what();
  } catch (...) {
  }
  write_all(2, fmt::format("panic: {}\n\ngoroutine 1 [running]:\n", why));
  std::_Exit(2);
}

void drop(int) {}

}  // namespace

std::string fault_directory() {
  if (auto given = Environment::text_or("REHEARSAL_FAULTS_DIR", ""); !given.empty()) return given;
  if (auto data = Environment::text_or("DATA_DIR", ""); !data.empty()) return data + "/rehearsal/faults";
  if (auto own = Environment::text_or("REHEARSAL_DIR", ""); !own.empty()) return own + "/faults";
  return "rehearsal/faults";
}

Daemon::Daemon(std::string name, LogShape shape, Runtime runtime)
    : name_(std::move(name)), log_(shape), runtime_(runtime) {
  stop_event_.expires_at(asio::steady_timer::time_point::max());
  // A handler and not SIG_IGN: exec gives a child (docker) its default back.
  ::signal(SIGPIPE, drop);
  ::signal(SIGUSR1, drop);
  if (runtime_ == Runtime::Go) ::signal(SIGUSR2, drop);
  log_.info(fmt::format("rehearsal of {}, not arizuko", name_));
  const auto directory = fault_directory();
  fault_files_.push_back(directory + "/" + name_);
  // Two accounts of one adapter are told apart by their channel's name (T8).
  const auto channel = Environment::text_or("CHANNEL_NAME", "");
  if (!channel.empty() && channel != name_ && channel.find('/') == std::string::npos) {
    fault_files_.push_back(directory + "/" + channel);
  }
  fault_files_.push_back(directory + "/all");
}

int Daemon::run(asio::awaitable<int> life) {
  if (runtime_ == Runtime::Go) spawn(watch_quit_signal());
  asio::co_spawn(io_, std::move(life), [this](const std::exception_ptr& error, int code) {
    if (error) panic(error);
    exit_code_ = code;
    io_.stop();
  });
  io_.run();
  return exit_code_;
}

void Daemon::spawn(asio::awaitable<void> work) {
  asio::co_spawn(io_, std::move(work), [](const std::exception_ptr& error) {
    if (error) panic(error);
  });
}

// --- Signals ------------------------------------------------------------------------------------

void Daemon::catch_stop_signals() {
  if (catching_) return;
  catching_ = true;
  stop_signals_.emplace(io_, SIGTERM, SIGINT);
  spawn(watch_stop_signals());
}

asio::awaitable<void> Daemon::watch_stop_signals() {
  for (;;) {
    auto [error, number] = co_await stop_signals_->async_wait(as_pair);
    if (error) co_return;
    if (fault_on(FaultKind::IgnoreTerm)) continue;
    stopping_ = true;
    stop_event_.cancel();
  }
}

asio::awaitable<void> Daemon::watch_quit_signal() {
  quit_signal_.emplace(io_, SIGQUIT);
  auto [error, number] = co_await quit_signal_->async_wait(as_pair);
  if (error) co_return;
  write_all(2, "SIGQUIT: quit\nPC=0x0 m=0 sigcode=0\n\ngoroutine 1 [running]:\n");
  std::_Exit(2);
}

asio::awaitable<void> Daemon::stop_requested() {
  while (!stopping_) co_await stop_event_.async_wait(as_pair);
}

// Where the daemon does not catch them (webd while it registers), ignore-term holds all the same.
void Daemon::apply_default_signals() const {
  if (catching_) return;
  static bool ignored = false;
  const bool ignore = fault_on(FaultKind::IgnoreTerm);
  if (ignore == ignored) return;
  ignored = ignore;
  for (const int number : {SIGTERM, SIGINT}) ::signal(number, ignore ? SIG_IGN : SIG_DFL);
}

asio::awaitable<void> Daemon::sleep(std::chrono::milliseconds time) {
  asio::steady_timer timer(io_, time);
  co_await timer.async_wait(as_pair);
}

// --- Faults -------------------------------------------------------------------------------------

bool Daemon::fault_on(FaultKind kind) const {
  for (const auto& [source, faults] : faults_)
    for (const auto& fault : faults)
      if (fault.kind == kind) return true;
  return false;
}

std::optional<std::int64_t> Daemon::fault_number(FaultKind kind) const {
  std::vector<std::string> sources{"http", "REHEARSAL_FAULTS"};
  sources.insert(sources.end(), fault_files_.begin(), fault_files_.end());
  for (const auto& source : sources) {
    const auto found = faults_.find(source);
    if (found == faults_.end()) continue;
    for (const auto& fault : found->second)
      if (fault.kind == kind) return fault.number;
  }
  return std::nullopt;
}

std::optional<std::string> Daemon::refused_key() const {
  for (const auto& [source, faults] : faults_)
    for (const auto& fault : faults)
      if (fault.kind == FaultKind::Refuse && Environment::get(fault.key) == fault.value) return fault.key;
  return std::nullopt;
}

void Daemon::take_faults(const std::string& source, std::string_view text, char separator, ActNow act) {
  auto parsed = parse_faults(text, separator);
  for (const auto& why : parsed.errors) log_.warn("rehearsal fault file", {{"source", source}, {"err", why}});
  std::vector<Fault> standing;
  for (auto& fault : parsed.faults) {
    if (fault_time(fault.kind) != FaultTime::Once)
      standing.push_back(std::move(fault));
    else if (act == ActNow::Yes)
      spawn(act_later(std::move(fault)));
  }
  faults_[source] = std::move(standing);
  apply_default_signals();
}

asio::awaitable<void> Daemon::act_later(Fault fault) {
  if (fault.after.count() != 0) co_await sleep(fault.after);
  co_await act_once(fault, log_);
}

asio::awaitable<void> Daemon::boot_faults(Refused refused) {
  // The environment's faults act at every start; a file's acts were spent when the file changed,
  // or a `crash` would be a crash loop (that is what crash-at-boot is for).
  take_faults("REHEARSAL_FAULTS", Environment::text_or("REHEARSAL_FAULTS", ""), ',', ActNow::Yes);
  spawn(watch_fault_files());
  for (const auto& path : fault_files_) {
    if (const auto text = read_file(path, fault_file_limit_bytes)) take_faults(path, *text, '\n', ActNow::No);
  }
  for (const auto& [source, faults] : faults_) {
    for (const auto& fault : faults) {
      if (fault.kind == FaultKind::CrashAtBoot || fault.kind == FaultKind::ExitAtBoot) {
        co_await act_once(fault, log_);
      }
    }
  }
  const auto key = refused_key();
  if (!key || refused == Refused::AtLogin) co_return;
  log_.error("config", {{"err", fmt::format("{} was refused", *key)}});
  std::_Exit(1);
}

asio::awaitable<void> Daemon::watch_fault_files() {
  std::map<std::string, std::string> seen;
  for (const auto& path : fault_files_) seen[path] = file_signature(path);
  for (;;) {
    co_await sleep(fault_poll);
    for (const auto& path : fault_files_) {
      auto now = file_signature(path);
      if (now == seen[path]) continue;
      seen[path] = std::move(now);
      take_faults(path, read_file(path, fault_file_limit_bytes).value_or(""), '\n', ActNow::Yes);
    }
  }
}

asio::awaitable<bool> Daemon::boot_delay(std::chrono::milliseconds usual) {
  if (fault_on(FaultKind::HangAtBoot)) {
    log_.warn("rehearsal fault", {{"fault", "hang-at-boot"}});
    co_await stop_requested();
    co_return false;
  }
  const auto asked = fault_number(FaultKind::SlowBoot);
  co_await sleep(asked ? std::chrono::milliseconds(*asked) : usual);
  co_return true;
}

Response Daemon::take_fault_request(const Request& request, const Tcp::endpoint& peer) {
  auto from = peer.address();
  if (from.is_v6() && from.to_v6().is_v4_mapped()) {
    from = asio::ip::make_address_v4(asio::ip::v4_mapped, from.to_v6());
  }
  // gated's port is the pod's: whoever reaches it from outside must not crash it.
  if (!from.is_loopback()) return error_reply(403, "faults are taken from 127.0.0.1 only");
  if (request.method() != http::verb::post) return error_reply(405, "POST the fault's line");
  const auto parsed = parse_faults(request.body());
  if (!parsed.errors.empty()) return error_reply(400, parsed.errors.front());
  take_faults("http", request.body(), '\n', ActNow::Yes);
  return json_reply(200, R"({"ok":true})");
}

// --- HTTP ---------------------------------------------------------------------------------------

std::expected<void, std::string> Daemon::listen(const std::expected<ListenAddress, std::string>& given,
                                                Handler handler, RequestLog requests) {
  if (!given) return std::unexpected(given.error());
  const ListenAddress& address = *given;
  if (fault_on(FaultKind::NoListen)) {
    log_.warn("rehearsal fault", {{"fault", "no-listen"}});
    return {};
  }
  const auto host = numeric_host(address.host);
  if (!host) return std::unexpected(fmt::format("listen tcp: lookup {}: no such host", address.host));
  Tcp::endpoint endpoint(*host, address.port);
  Tcp::acceptor acceptor(io_);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error && address.host.empty()) {  // a kernel without IPv6
    endpoint = Tcp::endpoint(asio::ip::address_v4::any(), address.port);
    acceptor.open(endpoint.protocol(), error);
  }
  boost::system::error_code unimportant;
  acceptor.set_option(Tcp::acceptor::reuse_address(true), unimportant);  // as Go does
  if (endpoint.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only(!address.host.empty()), unimportant);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    const bool taken = error == boost::system::errc::address_in_use;
    return std::unexpected(fmt::format("listen tcp {}: bind: {}", address.text,
                                       taken ? "address already in use" : error.message()));
  }
  spawn(accept_loop(std::move(acceptor), std::move(handler), requests));
  return {};
}

asio::awaitable<void> Daemon::accept_loop(Tcp::acceptor acceptor, Handler handler, RequestLog requests) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_pair);
    if (error) {
      co_await sleep(std::chrono::milliseconds(50));  // EMFILE: what net/http does, in short
    } else if (sessions_ < session_limit) {
      spawn(session(std::move(socket), handler, requests));
    }
  }
}

asio::awaitable<void> Daemon::session(Tcp::socket socket, const Handler& handler, RequestLog requests) {
  ++sessions_;
  AfterAnswer after;
  if (requests == RequestLog::On) {
    after = [this](const Request& request, unsigned status, std::chrono::microseconds took) {
      log_.info("request", {{"method", std::string(request.method_string())},
                            {"path", path_of(request)},
                            {"status", status},
                            {"dur_us", took.count()}});
    };
  }
  const Handler answering = [this, &handler](Request& request, const Tcp::endpoint& peer) {
    return answer(request, peer, handler);
  };
  co_await serve_session(std::move(socket), answering, after);
  --sessions_;
}

asio::awaitable<Response> Daemon::answer(Request& request, const Tcp::endpoint& peer,
                                         const Handler& handler) {
  const auto path = path_of(request);
  if (path == "/v1/rehearsal/fault") co_return take_fault_request(request, peer);
  if (path == "/health" || path == "/ready") {
    if (fault_on(FaultKind::HangHealth)) {
      Response never;
      never.result(0U);  // serve_session's sign for "no answer"
      co_return never;
    }
    if (fault_on(FaultKind::Health503)) co_return json_reply(503, R"({"status":"disconnected"})");
  }
  co_return co_await handler(request, peer);
}

}  // namespace rehearsal
