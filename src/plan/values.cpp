#include "values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "arizuko/base/bytes.hpp"

namespace arizuko::plan {
namespace {

using namespace std::string_view_literals;

using base::is_control;
using base::is_digit;
using base::is_lower;
using base::is_upper;

/// The whole of `text` as a number from 0 to `most`: digits only, no sign, no blanks.
template <class Number>
std::optional<Number> whole_number(std::string_view text, Number most) {
  Number number{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (text.empty() || !is_digit(text.front()) || error != std::errc{} || stop != end || number > most) {
    return std::nullopt;
  }
  return number;
}

bool is_ipv4(std::string_view text) {
  int parts = 0;
  while (true) {
    const auto dot = text.find('.');
    const auto part = text.substr(0, dot);
    const bool leading_zero = part.size() > 1 && part.front() == '0';
    if (part.size() > 3 || leading_zero || !whole_number<unsigned>(part, 255)) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

/// Groups of an IPv6 address between colons; a trailing dotted quad counts for two. -1: malformed.
int ipv6_groups(std::string_view text) {
  if (text.empty()) return 0;
  int groups = 0;
  while (true) {
    const auto colon = text.find(':');
    const auto part = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && part.find('.') != std::string_view::npos) return is_ipv4(part) ? groups + 2 : -1;
    const bool hex = std::ranges::all_of(part, [](char c) { return base::hex_value(c) >= 0; });
    if (part.empty() || part.size() > 4 || !hex) return -1;
    ++groups;
    if (last) return groups;
    text.remove_prefix(colon + 1);
  }
}

bool is_ipv6(std::string_view text) {
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) return ipv6_groups(text) == 8;
  const auto head = text.substr(0, gap);
  if (head.find('.') != std::string_view::npos) return false;
  const int before = ipv6_groups(head);
  const int after = ipv6_groups(text.substr(gap + 2));
  return before >= 0 && after >= 0 && before + after <= 7;
}

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array units{Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}};

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array size_units{SizeUnit{"Ki", 1ULL << 10}, SizeUnit{"Mi", 1ULL << 20},
                                SizeUnit{"Gi", 1ULL << 30}, SizeUnit{"Ti", 1ULL << 40}};

struct Signal {
  std::string_view name;
  int number;
};
constexpr std::array signals{
    Signal{"HUP", 1},   Signal{"INT", 2},   Signal{"QUIT", 3},   Signal{"ILL", 4},   Signal{"TRAP", 5},
    Signal{"ABRT", 6},  Signal{"BUS", 7},   Signal{"FPE", 8},    Signal{"KILL", 9},  Signal{"USR1", 10},
    Signal{"SEGV", 11}, Signal{"USR2", 12}, Signal{"PIPE", 13},  Signal{"ALRM", 14}, Signal{"TERM", 15},
    Signal{"CONT", 18}, Signal{"URG", 23},  Signal{"WINCH", 28}, Signal{"IO", 29},   Signal{"PWR", 30},
};

Wrong not_an_address(std::string_view text) {
  if (text.starts_with("localhost:")) {
    return {"names a host", "write 127.0.0.1 in place of localhost: names are not looked up"};
  }
  return {"is not an address", "write a numeric IP and a port: \"127.0.0.1:9090\" or \"[::1]:9090\""};
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  const Wrong wrong{"is not a duration",
                    "write whole numbers with units, at most 24h: \"250ms\", \"3s\", \"1m30s\", \"2h\""};
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  if (text.empty()) return std::unexpected(wrong);
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = whole_number<std::int64_t>(text.substr(0, digits), 86'400'000);
    text.remove_prefix(digits);
    const auto letters = std::min(text.find_first_of("0123456789"), text.size());
    const auto unit = std::find_if(units.begin() + static_cast<std::ptrdiff_t>(next_unit), units.end(),
                                   [&](const Unit& u) { return u.name == text.substr(0, letters); });
    if (!number || unit == units.end()) return std::unexpected(wrong);
    text.remove_prefix(letters);
    total += *number * unit->milliseconds;
    if (total > longest_duration.count()) return std::unexpected(Wrong{"is longer than 24h", wrong.fix});
    next_unit = static_cast<std::size_t>(unit - units.begin()) + 1;
  }
  return Duration{total};
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  const Wrong wrong{"is not a size",
                    "write a whole number with Ki, Mi, Gi or Ti, from 1Mi to 1024Ti: \"512Mi\", \"2Gi\""};
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number<std::uint64_t>(text.substr(0, digits), most_size_bytes);
  const auto unit = std::ranges::find(size_units, text.substr(digits), &SizeUnit::name);
  if (!number || unit == size_units.end()) return std::unexpected(wrong);
  if (*number > most_size_bytes / unit->bytes || *number * unit->bytes < least_size_bytes) {
    return std::unexpected(Wrong{"is out of range", wrong.fix});
  }
  return *number * unit->bytes;
}

Parsed<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::unexpected(not_an_address(text));
  auto ip = text.substr(0, colon);
  const auto port = whole_number<std::uint16_t>(text.substr(colon + 1), 65535);
  const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  if (!port || !(bracketed ? is_ipv6(ip) : is_ipv4(ip))) return std::unexpected(not_an_address(text));
  if (*port == 0) return std::unexpected(Wrong{"has the port 0", "write a port from 1 to 65535"});
  return Address{std::string{ip}, *port};
}

Parsed<Url> parse_url(std::string_view text) {
  const Wrong wrong{"is not a url", "write \"http://127.0.0.1:9080/health\" or \"${service.url}/health\""};
  constexpr auto scheme = "http://"sv;
  if (text.starts_with("https://")) {
    return std::unexpected(Wrong{"asks for https", "a condition speaks plain http to its own machine"});
  }
  if (!text.starts_with(scheme)) return std::unexpected(wrong);
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; })) {
    return std::unexpected(Wrong{"holds a character that a url cannot hold", "percent-encode it: %20"});
  }
  text.remove_prefix(scheme.size());
  const auto slash = std::min(text.find_first_of("/?#"), text.size());
  auto host = std::string{text.substr(0, slash)};
  std::string path{text.substr(slash, text.find('#') - slash)};
  if (path.empty() || path.front() != '/') path.insert(path.begin(), '/');
  if (host == "localhost") host += ":80";
  const bool has_port = host.starts_with('[') ? !host.ends_with(']') : host.find(':') != std::string::npos;
  auto address = parse_address(has_port ? host : host + ":80");
  if (!address && host.starts_with("localhost:")) return std::unexpected(std::move(address.error()));
  if (!address) return std::unexpected(Wrong{"does not name a numeric IP and a port", wrong.fix});
  return Url{std::move(*address), std::move(path)};
}

Parsed<std::string> parse_path(std::string_view text) {
  if (text.empty()) return std::unexpected(Wrong{"is empty", "write an absolute path"});
  if (text.front() != '/') return std::unexpected(Wrong{"is not an absolute path", "begin it with /"});
  if (std::ranges::any_of(text, is_control)) {
    return std::unexpected(Wrong{"holds a control character", "write a path without one"});
  }
  if (text.size() > 4095) {
    return std::unexpected(Wrong{"is longer than 4095 bytes", "Linux takes no longer path"});
  }
  std::string path;
  while (!text.empty()) {
    const auto slash = std::min(text.find('/'), text.size());
    const auto part = text.substr(0, slash);
    if (part == "..") return std::unexpected(Wrong{"goes up with ..", "write the path that is meant"});
    if (!part.empty() && part != ".") path.append("/").append(part);
    text.remove_prefix(std::min(slash + 1, text.size()));
  }
  return path.empty() ? "/" : path;
}

Parsed<std::string> parse_socket_path(std::string_view text) {
  auto path = parse_path(text);
  if (path && path->size() > longest_socket_path_bytes) {
    return std::unexpected(Wrong{
        fmt::format("is {} bytes long once it is resolved, over the {} that a unix socket's path can have",
                    path->size(), longest_socket_path_bytes),
        "choose a shorter directory"});
  }
  return path;
}

Parsed<int> parse_signal(std::string_view text) {
  const auto name = text.starts_with("SIG") ? text.substr(3) : text;
  const auto found = std::ranges::find(signals, name, &Signal::name);
  if (found != signals.end()) return found->number;
  return std::unexpected(Wrong{"is not a signal", "write TERM, INT, HUP, QUIT, KILL, USR1, USR2 or WINCH"});
}

std::string_view signal_name(int number) {
  const auto found = std::ranges::find(signals, number, &Signal::number);
  return found == signals.end() ? "?"sv : found->name;
}

Parsed<User> parse_user(std::string_view text) {
  constexpr std::uint32_t most = 4'294'967'294;  // -1 means "no change": setresuid(2)
  const auto colon = text.find(':');
  const auto uid = whole_number<std::uint32_t>(text.substr(0, colon), most);
  User user{uid.value_or(0), std::nullopt};
  if (colon != std::string_view::npos) user.gid = whole_number<std::uint32_t>(text.substr(colon + 1), most);
  if (!uid || (colon != std::string_view::npos && !user.gid)) {
    return std::unexpected(Wrong{"is not a user", "write numbers: \"1000\" or \"1000:1000\""});
  }
  return user;
}

Parsed<std::uint32_t> parse_umask(std::string_view text) {
  std::uint32_t mask = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mask, 8);
  const bool digits = error == std::errc{} && end == text.data() + text.size() && text.size() <= 4;
  if (!digits || mask > 0777)
    return std::unexpected(Wrong{"is not a umask", "write three octal digits: \"022\", \"027\" or \"077\""});
  return mask;
}

Parsed<std::string> parse_service_name(std::string_view text) {
  const bool taken = text == "pod" || text == "env" || text == "agents";
  if (taken)
    return std::unexpected(Wrong{"cannot be a service's name", "pod, env and agents are tables of the plan"});
  if (text == "self")
    return std::unexpected(Wrong{"cannot be a service's name", "${self.port} is that of the service itself"});
  const auto fits = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  if (text.empty() || text.size() > 32 || !std::ranges::all_of(text, fits) || text.front() == '_' ||
      text.front() == '-') {
    return std::unexpected(
        Wrong{"is not a name", "write 1 to 32 of a-z, 0-9, _ and -, and begin with a letter or a digit"});
  }
  return std::string{text};
}

Parsed<std::string> parse_instance(std::string_view text) {
  const auto fits = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_' || c == '-'; };
  if (text.empty() || text.size() > 32 || !std::ranges::all_of(text, fits) || text.front() == '-') {
    return std::unexpected(
        Wrong{"is not an instance name", "write 1 to 32 of A-Z, a-z, 0-9, _ and -, and do not begin with -"});
  }
  return std::string{text};
}

Parsed<std::string> parse_variable(std::string_view text) {
  const auto fits = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_'; };
  if (text.empty() || text.size() > 128 || !std::ranges::all_of(text, fits) || is_digit(text.front())) {
    return std::unexpected(Wrong{"is not the name of a variable",
                                 "write 1 to 128 of A-Z, a-z, 0-9 and _, and do not begin with a digit"});
  }
  return std::string{text};
}

Parsed<std::string> parse_data_dir(std::string_view text) {
  auto path = parse_path(text);
  if (!path) return path;
  if (*path == "/")
    return std::unexpected(Wrong{"is the root directory", "give the instance its own directory"});
  const auto name = std::string_view{*path}.substr(path->rfind('/') + 1);
  if (name.find_first_of(" :'\"\\") != std::string_view::npos) {
    return std::unexpected(Wrong{"has a last part with a space or one of : ' \" \\, which the daemons refuse",
                                 "rename the directory"});
  }
  return path;
}

Parsed<std::string> parse_search_path(std::string_view text) {
  for (auto rest = text;;) {
    const auto colon = std::min(rest.find(':'), rest.size());
    if (!rest.starts_with('/')) {
      return std::unexpected(
          Wrong{"has an entry that is not an absolute path", "write \"/usr/local/bin:/usr/bin:/bin\""});
    }
    if (colon == rest.size()) return std::string{text};
    rest.remove_prefix(colon + 1);
  }
}

std::string quoted(std::string_view text) {
  std::size_t most = 60;
  while (text.size() > most && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80)
    --most;  // whole characters
  std::string out = "\"";
  for (const char c : text.substr(0, most)) {
    if (is_control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + (text.size() > most ? "...\"" : "\"");
}

}  // namespace arizuko::plan
