#include "boot.hpp"

#include <fmt/format.h>

namespace rehearsal {

asio::awaitable<std::expected<Booted, int>> boot(Daemon& daemon, Boot needs) {
  const auto& log = daemon.log();
  auto config = load_config();
  if (!config) {
    log.error("config", {{"err", config.error()}});
    co_return std::unexpected(1);
  }
  if (needs.check) {
    if (const auto code = needs.check(*config)) co_return std::unexpected(*code);
  }
  if (needs.signals == StopSignals::AtOnce) daemon.catch_stop_signals();
  co_await daemon.boot_faults();
  auto store = Store::open(messages_db(config->data_dir), needs.store);
  if (!store) {
    log.error(std::string(needs.no_store), {{"err", store.error()}});
    co_return std::unexpected(1);
  }
  co_return Booted{std::move(*config), std::move(*store)};
}

std::optional<std::string> database_path(const Daemon& daemon, const std::string& variable) {
  auto path = Environment::text_or(variable, "");
  if (!path.empty()) return path;
  const auto data_dir = Environment::text_or("DATA_DIR", "");
  if (!data_dir.empty()) return messages_db(data_dir);
  daemon.log().error(fmt::format("{} or DATA_DIR env required", variable));
  return std::nullopt;
}

}  // namespace rehearsal
