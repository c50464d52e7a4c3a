#include "tokens.hpp"

#include "arizuko/base/fnv1a.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace rehearsal {
namespace {

constexpr std::string_view token_form = "rehearsal-token";

std::string checksum(std::string_view signing_key, std::string_view said) {
  return fmt::format("{:016x}", arizuko::base::fnv1a<std::uint64_t>(fmt::format("{}.{}", signing_key, said)));
}

}  // namespace

std::map<std::string, std::string> parse_service_keys(std::string_view text) {
  std::map<std::string, std::string> principals;
  while (!text.empty()) {
    const auto end = text.find(',');
    const auto entry = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = entry.substr(equals + 1);
    if (key.empty() || key.contains('=')) continue;
    principals.insert_or_assign(std::string(key), std::string(entry.substr(0, equals)));
  }
  return principals;
}

bool knows_principal(std::string_view principal) {
  constexpr std::array<std::string_view, 17> daemons{"authd", "timed", "onbod", "routd", "runed", "teled",
                                                     "whapd", "discd", "mastd", "slakd", "bskyd", "reditd",
                                                     "emaid", "twitd", "linkd", "webd",  "dashd"};
  constexpr std::string_view kind = "service:";
  if (!principal.starts_with(kind)) return false;
  const auto daemon = principal.substr(kind.size());
  return daemon == "proxyd" ||
         std::ranges::find(daemons, daemon) != daemons.end();  // proxyd: without a grant
}

std::string make_token(std::string_view signing_key, std::string_view principal,
                       std::int64_t expires_unix_seconds) {
  const auto said = fmt::format("{}.{}.{}", token_form, principal, expires_unix_seconds);
  return fmt::format("{}.{}", said, checksum(signing_key, said));
}

std::optional<std::string> principal_of(std::string_view token, std::string_view signing_key,
                                        std::int64_t now_unix_seconds) {
  const auto sum_at = token.rfind('.');
  if (sum_at == std::string_view::npos || signing_key.empty()) return std::nullopt;
  const auto said = token.substr(0, sum_at);
  const auto expires_at = said.rfind('.');
  if (expires_at == std::string_view::npos || checksum(signing_key, said) != token.substr(sum_at + 1))
    return std::nullopt;
  const auto digits = said.substr(expires_at + 1);
  std::int64_t expires = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), expires);
  if (error != std::errc{} || end != digits.data() + digits.size() || expires <= now_unix_seconds)
    return std::nullopt;
  const auto form_and_principal = said.substr(0, expires_at);
  if (!form_and_principal.starts_with(fmt::format("{}.", token_form))) return std::nullopt;
  return std::string(form_and_principal.substr(token_form.size() + 1));
}

}  // namespace rehearsal
