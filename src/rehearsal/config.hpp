// What a stand-in reads from its environment, and how: contract.md sections 1 to 3.
//
// Everything but Environment, load_dotenv and load_config is pure: text in, value or sentence out.
#pragma once

#include "line.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rehearsal {

// --- Pure parts ---------------------------------------------------------------------------------

struct ListenAddress {
  std::string host;  // empty: every interface, IPv4 and IPv6, as Go's ":8080"
  std::uint16_t port = 0;
  std::string text;  // as Go prints it in "listen tcp TEXT: bind: ..."
};

// Go's net.Listen form: ":9001", "127.0.0.1:9001", "[::1]:9001", "localhost:9001".
// The error has Go's words: "address 9001: missing port in address".
std::expected<ListenAddress, std::string> parse_go_address(std::string_view text);

// dashd and proxyd: "8080" or ":8080"; host:port becomes ":host:port", which is an error.
std::expected<ListenAddress, std::string> parse_port_or_colon(std::string_view text);

// whapd and twitd: ":9007" is 0.0.0.0 (IPv4 only), else host:port.
std::expected<ListenAddress, std::string> parse_node_address(std::string_view text);

struct Url {
  std::string host;
  std::uint16_t port = 80;
  std::string path;  // with the query, at least "/"
};
std::expected<Url, std::string> parse_url(std::string_view text);

// godotenv's lines: KEY=value, export, # comments, 'raw', "with \n", CRLF. Bad lines are skipped.
std::vector<std::pair<std::string, std::string>> parse_dotenv(std::string_view text);

// A Go duration ("10s", "5m", "1h30m", "250ms"); nullopt when it is none.
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

// --- The process's environment ------------------------------------------------------------------

class Environment {
 public:
  static std::optional<std::string> get(const std::string& key);
  // EnvOr, EnvInt: empty is unset; unparsable is the default, silently (contract section 1).
  static std::string text_or(const std::string& key, std::string_view otherwise);
  static std::int64_t int_or(const std::string& key, std::int64_t otherwise);
};

// What core.LoadConfig gives to gated, routd, runed, proxyd, webd, onbod and the arizuko command.
struct Config {
  std::string data_dir;
  std::string host_app_dir;
  std::string channel_secret;
  std::string assistant_name;
  std::string container_image;
  std::string auth_secret;
  std::string onboarding_enabled;
  std::int64_t api_port = 8080;
};

// Loads ./.env first, never over a variable that is set (even to ""): trap T14. An .env that
// cannot be read is ignored silently (T15). Today's line asks neither for HOST_APP_DIR, which is then where
// the program lies, nor for CHANNEL_SECRET.
std::expected<Config, std::string> load_config(Line line);

// At most `limit` bytes of a file; nullopt when it cannot be opened or is no regular file.
std::optional<std::string> read_file(const std::string& path, std::size_t limit = 1 << 20);

}  // namespace rehearsal
