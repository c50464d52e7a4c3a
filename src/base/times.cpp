#include "arizuko/base/times.hpp"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace arizuko::base {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

/// The digits of `text` at `at`, or nothing.
std::optional<unsigned> number_in(std::string_view text, std::size_t at, std::size_t digits) {
  unsigned value = 0;
  const char* const end = text.data() + at + digits;
  const auto [stop, error] = std::from_chars(text.data() + at, end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

UnixTime split(std::int64_t unix_nanoseconds) {
  // By numbers: the whole second below the smallest instant is none that 64 bits of nanoseconds hold.
  constexpr std::int64_t a_second = 1'000'000'000;
  const std::int64_t rest = unix_nanoseconds % a_second;
  const std::int64_t whole = unix_nanoseconds / a_second;
  return rest < 0 ? UnixTime{whole - 1, rest + a_second} : UnixTime{whole, rest};
}

std::string date_and_time(std::int64_t unix_seconds) {
  const sys_seconds instant{seconds{unix_seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{instant - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string rfc3339(std::int64_t unix_nanoseconds) {
  const UnixTime time = split(unix_nanoseconds);
  return fmt::format("{}.{:03}Z", date_and_time(time.seconds), time.nanoseconds / 1'000'000);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  if (text.size() != form.size()) return std::nullopt;
  for (const std::size_t at : {4U, 7U, 10U, 13U, 16U, 19U, 23U}) {
    if (text[at] != form[at]) return std::nullopt;
  }
  const auto year = number_in(text, 0, 4);
  const auto month = number_in(text, 5, 2);
  const auto day = number_in(text, 8, 2);
  const auto hour = number_in(text, 11, 2);
  const auto minute = number_in(text, 14, 2);
  const auto second = number_in(text, 17, 2);
  const auto milliseconds = number_in(text, 20, 3);
  if (!year || !month || !day || !hour || !minute || !second || !milliseconds) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  constexpr int first_year = 1678;  // an instant is 64 bits of nanoseconds: to 1677 and 2262
  constexpr int last_year = 2261;
  if (static_cast<int>(date.year()) < first_year || static_cast<int>(date.year()) > last_year)
    return std::nullopt;
  const auto instant = sys_days{date} + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
                       seconds(*second) + std::chrono::milliseconds(*milliseconds);
  return nanoseconds{instant.time_since_epoch()}.count();
}

}  // namespace arizuko::base
