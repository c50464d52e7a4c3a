#include "boot.hpp"

#include <fmt/format.h>

namespace rehearsal {

asio::awaitable<std::expected<Booted, int>> boot(Daemon& daemon, Boot needs) {
  const auto& log = daemon.log();
  auto config = load_config(needs.line);
  if (!config) {
    log.error("config", {{"err", config.error()}});
    co_return std::unexpected(1);
  }
  auto credentials = Credentials::of_line(needs.line, daemon.name(), config->channel_secret);
  if (!credentials) {
    log.error("config", {{"err", fmt::format("{} is not set", credentials.error())}});
    co_return std::unexpected(1);
  }
  if (needs.check) {
    if (const auto code = needs.check(*config)) co_return std::unexpected(*code);
  }
  if (needs.signals == StopSignals::AtOnce) daemon.catch_stop_signals();
  co_await daemon.boot_faults();
  auto store = needs.open(*config);
  if (!store) {
    log.error(std::string(needs.no_store), {{"err", store.error()}});
    co_return std::unexpected(1);
  }
  co_return Booted{std::move(*config), std::move(*store), std::move(*credentials)};
}

std::expected<Store, std::string> open_shared(Line line, const Config& config) {
  if (line == Line::Today) return Store::open(routd_db(config.data_dir), StoreUse::Probed, Schema::Routd);
  return Store::open(messages_db(config.data_dir), StoreUse::Migrates);
}

std::optional<std::string> database_path(const Daemon& daemon, const std::string& variable) {
  auto path = Environment::text_or(variable, "");
  if (!path.empty()) return path;
  const auto data_dir = Environment::text_or("DATA_DIR", "");
  if (!data_dir.empty()) return messages_db(data_dir);
  daemon.log().error(fmt::format("{} or DATA_DIR env required", variable));
  return std::nullopt;
}

std::optional<std::string> listen_as_told(Daemon& daemon, Handler handler) {
  const auto address = parse_go_address(Environment::text_or("LISTEN_ADDR", ":8080"));
  if (const auto listening = daemon.listen(address, std::move(handler)); !listening) {
    daemon.log().error("listen", {{"err", listening.error()}});
    return std::nullopt;
  }
  return address->text;
}

}  // namespace rehearsal
