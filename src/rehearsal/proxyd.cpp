// proxyd: the only public port. Migrates messages.db, or today ends where routd has not migrated routd.db;
// seeds table proxyd_routes from PROXYD_ROUTES_JSON only when that table is empty, so that what an older run
// put there stays (T10). vhosts.json comes before everything, /health included (T30).
#include "boot.hpp"
#include "daemons.hpp"
#include "json.hpp"
#include "routes.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace rehearsal {
namespace {

constexpr auto vhosts_every = std::chrono::seconds(5);

class Proxyd {
 public:
  int run() { return daemon_.run(life()); }

 private:
  asio::awaitable<int> life();
  std::expected<void, std::string> seed_routes();
  std::expected<void, std::string> load_routes();
  asio::awaitable<void> watch_vhosts();
  void read_vhosts();
  asio::awaitable<Response> handle(Request& request, const Tcp::endpoint& peer);
  asio::awaitable<Response> forward(Request& request, const Tcp::endpoint& peer, std::string backend,
                                    std::string prefix);
  bool is_vhost(std::string_view host) const;

  Daemon daemon_{"proxyd"};
  Config config_;
  std::optional<Store> store_;
  std::vector<Route> routes_;
  std::vector<std::string> vhosts_;
};

asio::awaitable<int> Proxyd::life() {
  const auto& log = daemon_.log();
  const Line line = this_line();
  Boot needs;
  needs.line = line;
  needs.open = [line](const Config& config) { return open_shared(line, config); };
  needs.no_store = "proxyd failed";
  auto booted = co_await boot(daemon_, std::move(needs));
  if (!booted) co_return booted.error();
  config_ = std::move(booted->config);
  store_.emplace(std::move(booted->store));
  std::error_code ignored;
  std::filesystem::create_directories(config_.data_dir + "/web", ignored);
  auto routed = seed_routes();
  if (routed) routed = load_routes();
  if (!routed) {
    log.error("proxyd failed", {{"err", routed.error()}});
    co_return 1;
  }
  read_vhosts();
  const bool up = co_await daemon_.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  const auto address = parse_port_or_colon(Environment::text_or("PROXYD_LISTEN", "8080"));
  const auto listening = daemon_.listen(
      address, [this](Request& request, const Tcp::endpoint& peer) { return handle(request, peer); },
      RequestLog::On);
  if (!listening) {
    log.error("proxyd failed", {{"err", listening.error()}});
    co_return 1;
  }
  daemon_.spawn(watch_vhosts());
  log.info("proxyd running", {{"addr", address->text}, {"routes", routes_.size()}});
  co_await daemon_.stop_requested();
  co_return 0;  // main returns at once: requests in flight are cut
}

std::expected<void, std::string> Proxyd::seed_routes() {
  const auto count = store_->rows("SELECT count(*) FROM proxyd_routes");
  if (!count) return std::unexpected(count.error());
  const auto text = Environment::text_or("PROXYD_ROUTES_JSON", "");
  if (count->front().front() != "0" || text.empty()) return {};
  const auto routes = parse_routes(text);
  if (!routes) return std::unexpected(routes.error());
  for (const auto& route : *routes) {
    const auto preserved = json::serialize(array_of(route.preserve_headers));
    const auto stored = store_->run(
        "INSERT INTO proxyd_routes (path, backend, auth, gated_by, preserve_headers, strip_prefix)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        {route.path, route.backend, route.auth, route.gated_by, preserved, route.strip_prefix ? "1" : "0"});
    if (!stored) return stored;
  }
  return {};
}

std::expected<void, std::string> Proxyd::load_routes() {
  const auto rows = store_->rows("SELECT path, backend, auth, strip_prefix FROM proxyd_routes");
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    Route route;
    route.path = row[0];
    route.backend = row[1];
    route.auth = row[2];
    route.strip_prefix = row[3] == "1";
    routes_.push_back(std::move(route));
  }
  return {};
}

asio::awaitable<void> Proxyd::watch_vhosts() {
  for (;;) {
    co_await daemon_.sleep(vhosts_every);
    read_vhosts();
  }
}

void Proxyd::read_vhosts() {
  vhosts_.clear();
  const auto text = read_file(config_.data_dir + "/web/vhosts.json");
  const auto object = text ? parse_object(*text) : std::nullopt;
  if (!object) return;
  for (const auto& item : *object) vhosts_.emplace_back(item.key().data(), item.key().size());
}

bool Proxyd::is_vhost(std::string_view host) const {
  for (const auto& vhost : vhosts_)
    if (vhost == "*" || vhost == host.substr(0, host.rfind(':'))) return true;
  return false;
}

asio::awaitable<Response> Proxyd::handle(Request& request, const Tcp::endpoint& peer) {
  const std::string path{path_of(request)};
  const auto vite = Environment::text_or("VITE_ADDR", "http://vited:8080");
  if (is_vhost(header(request, http::field::host))) co_return co_await forward(request, peer, vite, "");
  if (path == "/health") co_return json_reply(200, R"({"ok":true})");
  const auto* route = match_route(routes_, path);
  if (route == nullptr) {
    const auto elsewhere = Environment::text_or("PUB_REDIRECT_URL", "");
    if (elsewhere.empty()) co_return co_await forward(request, peer, vite, "");
    auto reply = text_reply(302, "");
    reply.set(http::field::location, elsewhere + path);
    co_return reply;
  }
  if (route->auth != "public") {
    if (config_.auth_secret.empty()) co_return text_reply(404, "404 page not found\n");
    // The rehearsal has no login, so nobody has a session.
    auto reply = text_reply(request.method() == http::verb::get ? 302 : 401, "");
    if (reply.result_int() == 302) reply.set(http::field::location, "/auth/login");
    co_return reply;
  }
  co_return co_await forward(request, peer, route->backend, route->strip_prefix ? route->path : "");
}

asio::awaitable<Response> Proxyd::forward(Request& request, const Tcp::endpoint& peer, std::string backend,
                                          std::string prefix) {
  const auto url = parse_url(backend);
  if (!url) co_return text_reply(502, "bad gateway\n");
  std::string target(request.target());
  if (!prefix.empty()) target = "/" + target.substr(prefix.size());
  Request onward{request.method(), target, 11};
  for (const auto& field : request) {
    // Nobody outside may claim to be somebody; the connection is between two and stays there.
    const std::string_view name{field.name_string().data(), field.name_string().size()};
    const bool claim = name.size() >= 7 && boost::beast::iequals(field.name_string().substr(0, 7), "x-user-");
    if (!claim && field.name() != http::field::connection && field.name() != http::field::transfer_encoding) {
      onward.insert(field.name_string(), field.value());
    }
  }
  onward.set(http::field::connection, "close");
  onward.set("X-Forwarded-For", peer.address().to_string());
  onward.body() = std::move(request.body());
  auto reply = co_await http_exchange(*url, std::move(onward), std::chrono::seconds(30));
  if (!reply) {
    daemon_.log().warn("proxy error", {{"backend", backend}, {"err", reply.error()}});
    co_return text_reply(502, "bad gateway\n");
  }
  reply->erase(http::field::transfer_encoding);
  co_return std::move(*reply);
}

}  // namespace

int run_proxyd() { return Proxyd().run(); }

}  // namespace rehearsal
