// What a daemon shows to others, and by what it knows them: CHANNEL_SECRET in the gated line, authd's service
// tokens today.
//
// Tokens are lazy, as the real ones: authd is first asked when a token or its keys are first needed, and not
// again while they are good. So authd may be away for a while, and nobody notices.
#pragma once

#include "http.hpp"
#include "line.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

namespace rehearsal {

class Credentials {
 public:
  // One secret for both ways. Empty: open to everybody (ARIZUKO_DEV, T18).
  static Credentials shared_secret(std::string secret);
  // AUTHD_URL and AUTHD_SERVICE_KEY; the error is the name of the one that is missing. `principal`:
  // service:teled.
  static std::expected<Credentials, std::string> of_service(std::string principal);
  // of_service(service:DAEMON) today, else the shared secret.
  static std::expected<Credentials, std::string> of_line(Line line, std::string_view daemon,
                                                         std::string secret);

  // What goes behind "Bearer ". The error is authd's, or says that it is not there.
  asio::awaitable<std::expected<std::string, std::string>> bearer();
  // Whether the request shows what it must.
  asio::awaitable<bool> accepts(std::string shown);

 private:
  asio::awaitable<std::expected<std::string, std::string>> exchange();
  asio::awaitable<std::expected<std::string, std::string>> fetch_keys();

  std::string secret_;
  std::string authd_url_, key_, principal_;  // empty with a shared secret
  std::string token_, signing_key_;
  std::chrono::steady_clock::time_point renew_at_{};
};

}  // namespace rehearsal
