// Instants as RFC 3339 writes them, in UTC. Instants are counted from 1970 (Unix time), without leap seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arizuko::base {

/// The instant as whole seconds and the nanoseconds after them, 0 to 999,999,999, also before 1970.
struct UnixTime {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
};
UnixTime split(std::int64_t unix_nanoseconds);

/// "2026-11-22T12:00:01"
std::string date_and_time(std::int64_t unix_seconds);

/// "2026-11-22T12:00:01.123Z"
std::string rfc3339(std::int64_t unix_nanoseconds);

/// Reads what rfc3339() writes; nothing for anything else.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace arizuko::base
