// The ten adapters: teled, discd, slakd, emaid, mastd, bskyd, reditd, linkd (Go), whapd, twitd (node).
//
// Go: environment, one register with the router or exit 1 (T5), platform login, listen; today a heartbeat
// that registers again (N7). SIGTERM is caught from the beginning and acted on only after login (T23). A
// taken port is noticed after registering (T7). node: registers until it is done, and its signal handlers
// come after connect. The platform is pretended: login takes 50 ms; POST /v1/rehearsal/inbound is a message
// from it.
#include "adapter_kinds.hpp"
#include "daemon.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "router.hpp"
#include "store.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>

namespace rehearsal {
namespace {

constexpr auto usual_login = std::chrono::milliseconds(50);
constexpr std::size_t kept_limit = 1000;

std::string own_secret_key(std::string_view daemon) {
  std::string key(daemon);
  for (auto& letter : key) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return key + "_CHANNEL_SECRET";
}

bool write_file(const std::string& path, std::string_view text, mode_t mode) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return false;
  write_all(file, text);
  return ::close(file) == 0;
}

class Adapter {
 public:
  Adapter(const Kind& kind, bool pair)
      : kind_(kind),
        pair_(pair),
        daemon_(std::string(kind.daemon),
                kind.runtime == Runtime::Node ? LogShape::LowerCase : LogShape::Slog, kind.runtime) {}
  int run() { return daemon_.run(kind_.runtime == Runtime::Go ? go_life() : node_life()); }

 private:
  asio::awaitable<int> go_life();
  asio::awaitable<int> node_life();
  bool go_environment();
  bool node_environment();
  bool take_credentials(const std::function<bool(std::string_view)>& missing);
  void make_router(OnUnauthorized rule);
  asio::awaitable<void> slack_watchdog();
  std::expected<void, std::string> open_files();
  asio::awaitable<bool> login();
  std::expected<void, std::string> listen();
  asio::awaitable<void> connect_soon();
  asio::awaitable<Response> handle(const Request& request);
  asio::awaitable<Response> inbound(const Request& request);
  asio::awaitable<void> redeliver();
  Response health() const;
  std::string state_file() const;
  bool has_login() const;
  bool saved_login_wins(std::string_view key) const;
  asio::awaitable<int> shut_down();

  const Kind& kind_;
  bool pair_;
  Daemon daemon_;
  Line line_ = this_line();
  std::string data_dir_;
  std::optional<Credentials> credentials_;
  std::optional<RouterClient> router_;
  std::optional<Store> store_;
  bool connected_ = false, refused_ = false;
  std::chrono::steady_clock::time_point last_inbound_ = std::chrono::steady_clock::now();
  std::deque<std::string> kept_;
  unsigned offset_ = 0;
};

// MustEnv: a line of text, since slog is not set up yet; then exit 1.
bool Adapter::go_environment() {
  const auto missing = [this](std::string_view key) {
    daemon_.log().text(Level::Error, fmt::format("required env var missing key={}", key));
    return false;
  };
  for (const auto key : kind_.required)
    if (!key.empty() && Environment::text_or(std::string(key), "").empty()) return missing(key);
  if (kind_.daemon == "discd" && Environment::text_or("DISCORD_USER_TOKEN", "").empty() &&
      Environment::text_or("DISCORD_BOT_TOKEN", "").empty()) {
    return missing("DISCORD_BOT_TOKEN");
  }
  if (Environment::text_or("ROUTER_URL", "").empty()) return missing("ROUTER_URL");
  return take_credentials(missing);
}

// CHANNEL_SECRET, or today authd's address and the daemon's own key. The principal is AUTHD_SERVICE_NAME's,
// else the channel's, whom authd does not know: 401, and exit 1.
bool Adapter::take_credentials(const std::function<bool(std::string_view)>& missing) {
  if (line_ == Line::Today) {
    const auto channel = Environment::text_or("CHANNEL_NAME", kind_.channel);
    const auto name = Environment::text_or("AUTHD_SERVICE_NAME", channel);
    auto credentials = Credentials::of_service(fmt::format("service:{}", name));
    if (!credentials) return missing(credentials.error());
    credentials_ = std::move(*credentials);
    return true;
  }
  auto secret =
      Environment::text_or(own_secret_key(kind_.daemon), Environment::text_or("CHANNEL_SECRET", ""));
  if (secret.empty() && kind_.daemon != "twitd") return missing("CHANNEL_SECRET");
  credentials_ = Credentials::shared_secret(std::move(secret));
  return true;
}

bool Adapter::node_environment() {
  const auto missing = [this](std::string_view key) {
    daemon_.log().error(fmt::format("{} required", key), {{"key", key}});
    return false;
  };
  if (Environment::text_or("ROUTER_URL", "").empty()) return missing("ROUTER_URL");
  return take_credentials(missing);
}

void Adapter::make_router(OnUnauthorized rule) {
  const auto listen = Environment::text_or("LISTEN_ADDR", kind_.listen);
  const auto port = listen.substr(listen.rfind(':') + 1);
  RouterAccess access;
  access.router_url = Environment::text_or("ROUTER_URL", "");
  access.credentials = *credentials_;
  // A second account with the default name silently replaces the first (T8). The node adapters'
  // names are fixed: one of each.
  access.name = kind_.runtime == Runtime::Go ? Environment::text_or("CHANNEL_NAME", kind_.channel)
                                             : std::string(kind_.channel);
  access.url = Environment::text_or("LISTEN_URL", fmt::format("http://{}:{}", kind_.host, port));
  access.prefixes.emplace_back(kind_.prefix);
  router_.emplace(daemon_, std::move(access), rule);
}

asio::awaitable<int> Adapter::go_life() {
  const auto& log = daemon_.log();
  if (!go_environment()) co_return 1;
  daemon_.catch_stop_signals();
  co_await daemon_.boot_faults(Daemon::Refused::AtLogin);
  if (auto opened = open_files(); !opened) {
    log.error("open", {{"err", opened.error()}});
    co_return 1;
  }
  make_router(OnUnauthorized::RegisterAgain);
  auto registered = co_await router_->register_once();
  if (!registered) {
    log.error("register failed", {{"err", registered.error()}});
    co_return 1;
  }
  const bool in = co_await login();
  if (!in) co_return 1;
  if (daemon_.stopping()) co_return co_await shut_down();
  if (auto listening = listen(); !listening) {
    log.error("server error", {{"err", listening.error()}});
    co_return 1;  // registered all the same: T7
  }
  log.info("adapter running", {{"channel", kind_.channel}});
  daemon_.spawn(connect_soon());
  if (kind_.keeps) daemon_.spawn(redeliver());
  if (line_ == Line::Today) daemon_.spawn(router_->heartbeat());
  if (line_ == Line::Today && kind_.daemon == "slakd") daemon_.spawn(slack_watchdog());
  co_await daemon_.stop_requested();
  co_return co_await shut_down();
}

asio::awaitable<int> Adapter::node_life() {
  const auto& log = daemon_.log();
  if (!node_environment()) co_return 1;
  data_dir_ = Environment::text_or("DATA_DIR", ".");
  co_await daemon_.boot_faults(Daemon::Refused::AtLogin);
  if (pair_) {
    const bool paired = write_file(state_file(), "{\"rehearsal\":true}\n", 0600);
    log.info(paired ? "paired (rehearsal, without a phone)" : "pairing failed", {{"file", state_file()}});
    co_return paired ? 0 : 1;
  }
  make_router(OnUnauthorized::GiveUp);
  co_await router_->register_until_done();
  const bool in = co_await login();
  if (!in) co_return 1;
  daemon_.catch_stop_signals();
  if (auto listening = listen(); !listening) {
    // An uncaught EADDRINUSE: node's own text, exit 1.
    write_all(2, fmt::format("Error: listen EADDRINUSE: {}\n", listening.error()));
    co_return 1;
  }
  log.info("adapter running", {{"channel", kind_.channel}});
  if (has_login())
    daemon_.spawn(connect_soon());
  else
    log.warn("no login data; staying disconnected");
  co_await daemon_.stop_requested();
  co_return co_await shut_down();
}

asio::awaitable<int> Adapter::shut_down() {
  daemon_.log().info("shutting down");
  co_await router_->deregister();
  const auto asked = daemon_.fault_number(FaultKind::SlowStop);
  const auto last = asked ? std::chrono::milliseconds(*asked) : kind_.stop;
  if (last.count() != 0) co_await daemon_.sleep(last);
  if (last.count() != 0 && kind_.daemon == "teled")
    daemon_.log().warn("poll goroutine did not exit within timeout");
  co_return 0;
}

// Files of contract section 6. A database that cannot be opened ends the daemon.
std::expected<void, std::string> Adapter::open_files() {
  const std::string fallback = kind_.daemon == "emaid" || kind_.daemon == "bskyd" || kind_.daemon == "reditd"
                                   ? fmt::format("/srv/data/{}", kind_.daemon)
                                   : "/srv/app/home";
  data_dir_ = Environment::text_or("DATA_DIR", fallback);
  std::string path;
  auto use = StoreUse::Migrates;
  if (kind_.daemon == "slakd" && line_ == Line::Today) {
    path = Environment::text_or("DB_PATH", "");
    use = StoreUse::Probed;
  } else if (kind_.daemon == "slakd") {  // MIGRATES messages.db, whoever thinks that only gated does
    path = Environment::text_or("DB_PATH", "");
    if (path.empty() && !Environment::text_or("DATA_DIR", "").empty()) path = messages_db(data_dir_);
  } else if (kind_.daemon == "emaid") {
    path = data_dir_ + "/emaid.db";
    use = StoreUse::Private;
  }
  if (path.empty()) return {};
  auto store = Store::open(path, use);
  if (!store) return std::unexpected(store.error());
  store_.emplace(std::move(*store));
  return {};
}

std::string Adapter::state_file() const {
  const auto account = Environment::text_or("CHANNEL_NAME", kind_.channel);
  if (kind_.daemon == "teled") return fmt::format("{}/teled-offset-{}", data_dir_, account);
  if (kind_.daemon == "linkd") return fmt::format("{}/linkd-state-{}.json", data_dir_, account);
  if (kind_.daemon == "bskyd") return data_dir_ + "/bluesky-session.json";
  if (kind_.daemon == "reditd") return data_dir_ + "/cursors.json";
  if (kind_.daemon == "whapd") {
    return Environment::text_or("WHATSAPP_AUTH_DIR", data_dir_ + "/store/whatsapp-auth") + "/creds.json";
  }
  if (kind_.daemon == "twitd") {
    return Environment::text_or("TWITTER_AUTH_DIR", data_dir_ + "/store/twitter-auth") + "/cookies.json";
  }
  return {};
}

// twitd without user, password or cookies stays up and disconnected; whapd pairs by itself here,
// since nobody has a phone at hand in a rehearsal.
bool Adapter::has_login() const {
  if (kind_.daemon != "twitd") return true;
  const bool named = !Environment::text_or("TWITTER_USERNAME", "").empty() &&
                     !Environment::text_or("TWITTER_PASSWORD", "").empty();
  return named || read_file(state_file(), 1).has_value();
}

// What is saved is tried before the value that the environment gives: a new one changes nothing while
// the file is there (contract section 14, "Cached logins beat env").
bool Adapter::saved_login_wins(std::string_view key) const {
  const bool asked_last = (kind_.daemon == "bskyd" && key == "BLUESKY_PASSWORD") ||
                          (kind_.daemon == "linkd" && key == "LINKEDIN_ACCESS_TOKEN");
  return asked_last && read_file(state_file(), 1).has_value();
}

// False: the platform refused; logged as the daemon would, for teled with the token in the line (T28).
asio::awaitable<bool> Adapter::login() {
  const auto& log = daemon_.log();
  while (daemon_.fault_on(FaultKind::LoginHang)) co_await daemon_.sleep(std::chrono::milliseconds(50));
  const bool in_time = co_await daemon_.boot_delay(usual_login);
  if (!in_time) co_return true;  // hang-at-boot, asked to stop
  const bool linkd_in = kind_.daemon != "linkd" ||
                        !Environment::text_or("LINKEDIN_ACCESS_TOKEN", "").empty() ||
                        read_file(state_file(), 1).has_value();
  if (!linkd_in) {
    log.error("linkedin auth failed", {{"err", "no LINKEDIN_ACCESS_TOKEN and no saved state"}});
    co_return false;
  }
  auto key = daemon_.refused_key();
  if (key && saved_login_wins(*key)) key.reset();
  if (key && kind_.daemon == "emaid") {
    // It registers, listens and tries for ever: a wrong password is a 503 and no exit.
    log.error("imap login failed", {{"err", fmt::format("NO [AUTHENTICATIONFAILED] {}", *key)}});
    refused_ = true;
    co_return true;
  }
  if (key && kind_.daemon == "teled") {
    log.error("telegram auth failed",
              {{"err", fmt::format("Get \"https://api.telegram.org/bot{}/getMe\": 401 Unauthorized",
                                   Environment::text_or("TELEGRAM_BOT_TOKEN", ""))}});
  } else if (key) {
    log.error(fmt::format("{} auth failed", kind_.channel),
              {{"err", fmt::format("401 Unauthorized: {}", *key)}});
  }
  if (key) co_return false;
  if (kind_.daemon == "whapd" && !read_file(state_file(), 1)) {
    write_all(1, "[QR art: rehearsal, paired without a phone]\n");
  }
  const bool writes = kind_.daemon != "teled" && !state_file().empty() && has_login();
  if (writes && !write_file(state_file(), "{\"rehearsal\":true}\n", 0600)) {
    log.warn("state not saved", {{"file", state_file()}});
  }
  co_return true;
}

std::expected<void, std::string> Adapter::listen() {
  connected_ = !kind_.connects_after_listen;
  const auto text = Environment::text_or("LISTEN_ADDR", kind_.listen);
  const auto address = kind_.runtime == Runtime::Go ? parse_go_address(text) : parse_node_address(text);
  return daemon_.listen(address, [this](Request& request, const Tcp::endpoint&) { return handle(request); });
}

asio::awaitable<void> Adapter::connect_soon() {
  if (refused_) co_return;
  if (!connected_) co_await daemon_.sleep(usual_login);
  connected_ = true;
  last_inbound_ = std::chrono::steady_clock::now();
}

// `stale` is 200 from a Go adapter and 503 from whapd and twitd (T24).
Response Adapter::health() const {
  if (!connected_) return json_reply(503, R"({"status":"disconnected"})");
  if (std::chrono::steady_clock::now() - last_inbound_ > kind_.stale) {
    return json_reply(kind_.runtime == Runtime::Go ? 200 : 503, R"({"status":"stale"})");
  }
  return json_reply(200, R"({"status":"ok"})");
}

asio::awaitable<Response> Adapter::handle(const Request& request) {
  const auto path = path_of(request);
  if (path == "/health") co_return health();
  if (path == "/v1/rehearsal/inbound" && request.method() == http::verb::post)
    co_return co_await inbound(request);
  auto reply = co_await router_->answer(request);
  co_return reply ? std::move(*reply) : text_reply(404, "404 page not found\n");
}

asio::awaitable<Response> Adapter::inbound(const Request& request) {
  const auto prefix = kind_.daemon == "twitd" ? std::string_view("twitter:") : kind_.prefix;
  const auto message = router_->make_message(request.body(), prefix);
  if (!message) co_return error_reply(400, message.error());
  last_inbound_ = std::chrono::steady_clock::now();
  auto done = co_await router_->hand_in(*message);
  const auto id = text_at(parse_object(*message).value_or(json::object{}), "id");
  if (done) {
    if (kind_.daemon == "teled") (void)write_file(state_file(), fmt::format("{}\n", ++offset_), 0644);
    co_return json_reply(200, json::serialize(json::object{{"ok", true}, {"id", json_text(id)}}));
  }
  // Eight of the ten lose what the router did not take (T37).
  const bool keep = kind_.keeps && kept_.size() < kept_limit;
  if (keep) kept_.push_back(*message);
  co_return json_reply(502, json::serialize(json::object{{"ok", false},
                                                         {"id", json_text(id)},
                                                         {"error", json_text(done.error())},
                                                         {"message", keep ? "kept" : "lost"}}));
}

// Today's slakd looks at its login in quiet times, and ends after some failures (N10). The pauses and the
// count are variables; their defaults are the rehearsal's.
asio::awaitable<void> Adapter::slack_watchdog() {
  const auto of = [](const char* key, std::int64_t otherwise) {
    return std::max<std::int64_t>(1, Environment::int_or(key, otherwise));
  };
  const std::chrono::seconds quiet(Environment::int_or("SLAKD_STALE_SECONDS", 300));
  for (std::int64_t failures = 0; failures < of("SLAKD_STALE_FAIL_LIMIT", 5);) {
    co_await daemon_.sleep(std::chrono::seconds(of("SLAKD_WATCHDOG_SECONDS", 60)));
    const bool looks = std::chrono::steady_clock::now() - last_inbound_ >= quiet;
    failures = looks && daemon_.fault_on(FaultKind::AuthLost) ? failures + 1 : 0;
    if (failures != 0) daemon_.log().warn("auth.test failed", {{"fails", failures}});
  }
  daemon_.log().error("slack connection is stale, exiting");
  std::_Exit(1);
}

// teled polls with the old offset, emaid finds the mail unseen: both bring it again.
asio::awaitable<void> Adapter::redeliver() {
  for (;;) {
    co_await daemon_.sleep(std::chrono::seconds(2));
    while (!kept_.empty()) {
      auto done = co_await router_->hand_in(kept_.front());
      if (!done) break;
      kept_.pop_front();
    }
  }
}

}  // namespace

bool is_adapter(std::string_view daemon) { return kind_of(daemon) != nullptr; }

int run_adapter(std::string_view daemon, std::span<char* const> arguments) {
  const bool pair = !arguments.empty() && std::string_view(arguments.front()) == "--pair";
  return Adapter(*kind_of(daemon), pair).run();
}

}  // namespace rehearsal
