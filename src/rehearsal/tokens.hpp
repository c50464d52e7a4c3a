// authd's keys and tokens as values: who holds which key, and what a service token says. Pure.
//
// A token of the rehearsal is text with a checksum, where the real one is an ES256 JWT: it behaves like one
// (who it is for, 15 minutes, judged without asking authd) and keeps nobody out who wants in.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rehearsal {

inline constexpr std::chrono::minutes token_lifetime{15};

// AUTHD_SERVICE_KEYS, "service:routd=KEY,service:teled=KEY", as principals by key. An empty key is skipped
// without a word; of two principals with one key the last has it; a ',' or '=' in a key breaks its entry
// (N1).
std::map<std::string, std::string> parse_service_keys(std::string_view text);

// The principals that authd knows. `service:telegram`, which is what an adapter without AUTHD_SERVICE_NAME
// calls itself, is none.
bool knows_principal(std::string_view principal);

std::string make_token(std::string_view signing_key, std::string_view principal,
                       std::int64_t expires_unix_seconds);
// Whom the token is for; nullopt: signed by another key, over, or no token at all.
std::optional<std::string> principal_of(std::string_view token, std::string_view signing_key,
                                        std::int64_t now_unix_seconds);

}  // namespace rehearsal
