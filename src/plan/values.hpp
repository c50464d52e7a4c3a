// The small languages inside a plan's strings: durations, addresses, urls, paths, signals, names.
//
// Each parser takes the text after references were replaced, which may hold a value of the
// environment: so `Wrong` never repeats the text. The caller quotes what stands in the plan.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

/// What is wrong with a value, as the end of a sentence ("is not a duration"), and what would be right.
struct Wrong {
  std::string what;
  std::string fix;
};

template <class Value>
using Parsed = std::expected<Value, Wrong>;

inline constexpr Duration longest_duration = std::chrono::hours{24};
inline constexpr std::size_t longest_socket_path_bytes = 107;  // sun_path less its NUL: unix(7)
inline constexpr std::size_t longest_string_bytes = 32 * 1024;

/// "1m30s": whole numbers with h, m, s, ms, each unit once, largest first.
Parsed<Duration> parse_duration(std::string_view text);

inline constexpr std::uint64_t least_size_bytes = 1ULL << 20;  // below it no daemon starts
inline constexpr std::uint64_t most_size_bytes = 1ULL << 50;

/// "512Mi": a whole number with Ki, Mi, Gi or Ti, as Kubernetes writes memory, in bytes.
Parsed<std::uint64_t> parse_size(std::string_view text);

/// "127.0.0.1:9090", "[::1]:9090".
Parsed<Address> parse_address(std::string_view text);

struct Url {
  Address address;
  std::string path;  // with query, begins with '/'
};

/// "http://127.0.0.1:9080/health": plain HTTP, numeric host, port 80 when there is none.
Parsed<Url> parse_url(std::string_view text);

/// Absolute; `//`, `/./` and a last `/` are taken out, `..` is refused.
Parsed<std::string> parse_path(std::string_view text);

/// A path that fits in sockaddr_un.
Parsed<std::string> parse_socket_path(std::string_view text);

/// "TERM" or "SIGTERM" to the number that Linux on x86-64 gives it. Signals that only halt a process
/// are not taken: nothing in a plan is for them.
Parsed<int> parse_signal(std::string_view text);
std::string_view signal_name(int number);

struct User {
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> gid;
};
Parsed<User> parse_user(std::string_view text);
/// "022", "0027"
Parsed<std::uint32_t> parse_umask(std::string_view text);

/// [a-z0-9][a-z0-9_-]{0,31}, and none of `pod`, `env`, `agents` and `self`.
Parsed<std::string> parse_service_name(std::string_view text);

/// [A-Za-z0-9_-]{1,32} without a leading '-': contract.md section 10.
Parsed<std::string> parse_instance(std::string_view text);

/// [A-Za-z_][A-Za-z0-9_]{0,127}
Parsed<std::string> parse_variable(std::string_view text);

/// A directory path whose last part every daemon accepts: contract.md section 1.
Parsed<std::string> parse_data_dir(std::string_view text);

/// The PATH of children: absolute directories only, an empty entry would be the working directory.
Parsed<std::string> parse_search_path(std::string_view text);

/// Quoted for a message: control characters escaped, at most 60 bytes.
std::string quoted(std::string_view text);

}  // namespace arizuko::plan
