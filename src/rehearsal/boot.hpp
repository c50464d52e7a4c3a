// The start that gated, routd, runed, proxyd, webd and onbod have in common: configuration, stop signals,
// boot faults, database. Each step that fails is one line in the daemon's log, and exit 1.
#pragma once

#include "credentials.hpp"
#include "daemon.hpp"
#include "store.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rehearsal {

// When the daemon begins to catch SIGTERM and SIGINT.
enum class StopSignals {
  AtOnce,
  Later,  // webd: they kill it while it registers, and it catches them itself afterwards
};

struct Boot {
  Line line = Line::Gated;
  std::function<std::expected<Store, std::string>(const Config& config)> open;
  std::string_view no_store;  // the log's message where the database cannot be opened
  StopSignals signals = StopSignals::AtOnce;
  // Looks at the configuration before anything is opened; a value is the exit code, already logged.
  std::function<std::optional<int>(const Config& config)> check;
};

struct Booted {
  Config config;
  Store store;
  Credentials credentials;
};

// The error is the exit code.
asio::awaitable<std::expected<Booted, int>> boot(Daemon& daemon, Boot needs);

// Where authd, runed and routd listen: LISTEN_ADDR. nullopt: they cannot, it is logged, and they exit 1.
std::optional<std::string> listen_as_told(Daemon& daemon, Handler handler);

// The database that several share: messages.db, which each of them migrates, or today routd.db, which is
// routd's alone and must be there.
std::expected<Store, std::string> open_shared(Line line, const Config& config);

// Where timed and dashd, which have no configuration, find the database: a variable of their own, else
// DATA_DIR. The error is logged.
std::optional<std::string> database_path(const Daemon& daemon, const std::string& variable);

}  // namespace rehearsal
