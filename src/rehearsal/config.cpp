#include "config.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <charconv>
#include <cstdlib>
#include <filesystem>

namespace rehearsal {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The value of one .env line: quoted or up to " #".
std::string dotenv_value(std::string_view text) {
  text = trim(text);
  if (text.empty()) return {};
  const char quote = text.front();
  if (quote != '"' && quote != '\'') return std::string(trim(text.substr(0, text.find(" #"))));
  std::string value;
  for (std::size_t at = 1; at < text.size() && text[at] != quote; ++at) {
    if (quote == '"' && text[at] == '\\' && at + 1 < text.size()) {
      ++at;
      value += text[at] == 'n' ? '\n' : text[at] == 'r' ? '\r' : text[at];
    } else {
      value += text[at];
    }
  }
  return value;
}

bool valid_key(std::string_view key) {
  if (key.empty() || (key.front() >= '0' && key.front() <= '9')) return false;
  return key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.") ==
         std::string_view::npos;
}

void load_dotenv() {
  const auto text = read_file(".env");
  if (!text) return;
  for (const auto& [key, value] : parse_dotenv(*text)) ::setenv(key.c_str(), value.c_str(), 0);
}

std::string working_directory() {
  std::error_code error;
  const auto path = std::filesystem::current_path(error);
  return error ? "." : path.string();
}

std::string directory_of_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : path.parent_path().string();
}

}  // namespace

std::expected<ListenAddress, std::string> parse_go_address(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return std::unexpected(fmt::format("listen tcp: address {}: {}", text, why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("missing port in address");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return wrong("missing ']' in address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("too many colons in address");
  }
  const auto digits = text.substr(colon + 1);
  const auto port = digits.empty() ? 0 : parse_number<std::uint32_t>(digits);
  if (!port) return std::unexpected(fmt::format("listen tcp: lookup tcp/{}: unknown port", digits));
  if (*port > 65535) return wrong("invalid port");
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port), std::string(text)};
}

std::expected<ListenAddress, std::string> parse_port_or_colon(std::string_view text) {
  return parse_go_address(text.starts_with(':') ? std::string(text) : fmt::format(":{}", text));
}

std::expected<ListenAddress, std::string> parse_node_address(std::string_view text) {
  auto address = parse_go_address(text);
  if (address && address->host.empty()) address->host = "0.0.0.0";
  return address;
}

std::expected<Url, std::string> parse_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme)) {
    return std::unexpected(fmt::format("unsupported protocol scheme in \"{}\"", text));
  }
  const auto rest = text.substr(scheme.size());
  const auto slash = rest.find_first_of("/?");
  const auto authority = rest.substr(0, slash);
  Url url;
  url.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  if (url.path.front() == '?') url.path.insert(0, "/");
  const bool has_port = authority.rfind(':') != std::string_view::npos && !authority.ends_with(']');
  const auto address = parse_go_address(has_port ? std::string(authority) : fmt::format("{}:80", authority));
  if (!address) return std::unexpected(address.error());
  if (address->host.empty()) return std::unexpected(fmt::format("no host in \"{}\"", text));
  url.host = address->host;
  url.port = address->port;
  return url;
}

std::vector<std::pair<std::string, std::string>> parse_dotenv(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, equals));
    if (valid_key(key)) pairs.emplace_back(key, dotenv_value(line.substr(equals + 1)));
  }
  return pairs;
}

std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text) {
  using namespace std::chrono;
  if (text.empty()) return std::nullopt;
  milliseconds sum{0};
  while (!text.empty()) {
    const auto unit_at = text.find_first_not_of("0123456789");
    if (unit_at == 0 || unit_at == std::string_view::npos) return std::nullopt;
    const auto count = parse_number<std::int64_t>(text.substr(0, unit_at));
    if (!count || *count > 1'000'000'000) return std::nullopt;
    text.remove_prefix(unit_at);
    const auto unit = text.substr(0, text.find_first_of("0123456789"));
    if (unit == "ms")
      sum += milliseconds(*count);
    else if (unit == "s")
      sum += seconds(*count);
    else if (unit == "m")
      sum += minutes(*count);
    else if (unit == "h")
      sum += hours(*count);
    else
      return std::nullopt;
    text.remove_prefix(unit.size());
  }
  return sum;
}

std::optional<std::string> Environment::get(const std::string& key) {
  const char* value = std::getenv(key.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::string Environment::text_or(const std::string& key, std::string_view otherwise) {
  auto value = get(key);
  return value && !value->empty() ? *value : std::string(otherwise);
}

std::int64_t Environment::int_or(const std::string& key, std::int64_t otherwise) {
  return parse_number<std::int64_t>(text_or(key, "")).value_or(otherwise);
}

std::expected<Config, std::string> load_config(Line line) {
  load_dotenv();
  Config config;
  config.data_dir = Environment::text_or("DATA_DIR", working_directory());
  config.host_app_dir =
      Environment::text_or("HOST_APP_DIR", line == Line::Today ? directory_of_program() : std::string());
  config.channel_secret = Environment::text_or("CHANNEL_SECRET", "");
  config.assistant_name = Environment::text_or("ASSISTANT_NAME", "Andy");
  config.container_image = Environment::text_or("CONTAINER_IMAGE", "arizuko-ant:latest");
  config.auth_secret = Environment::text_or("AUTH_SECRET", "");
  config.onboarding_enabled = Environment::text_or("ONBOARDING_ENABLED", "true");
  config.api_port = Environment::int_or("API_PORT", 8080);
  const auto dev = Environment::text_or("ARIZUKO_DEV", "");
  if (config.host_app_dir.empty()) {
    return std::unexpected("HOST_APP_DIR is not set; it must name the host's arizuko directory");
  }
  if (line == Line::Gated && config.channel_secret.empty() && dev != "true" && dev != "1") {
    return std::unexpected("CHANNEL_SECRET is empty; set it, or ARIZUKO_DEV=true for an open router");
  }
  if (config.assistant_name.find_first_of(" \t:'\"\\/") != std::string::npos) {
    return std::unexpected(
        fmt::format("ASSISTANT_NAME {:?} has a forbidden character", config.assistant_name));
  }
  const auto base = std::filesystem::path(config.data_dir).filename().string();
  if (base.find_first_of(" :'\"\\") != std::string::npos) {
    return std::unexpected(fmt::format("DATA_DIR base name {:?} has a forbidden character", base));
  }
  return config;
}

std::optional<std::string> read_file(const std::string& path, std::size_t limit) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  struct stat info{};
  std::optional<std::string> text;
  if (::fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    text.emplace(limit, '\0');
    std::size_t have = 0;
    while (have < limit) {
      const auto got = ::read(file, text->data() + have, limit - have);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    text->resize(have);
  }
  ::close(file);
  return text;
}

}  // namespace rehearsal
