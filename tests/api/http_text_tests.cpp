// Request heads without a socket: what is refused, and with what.
#include <doctest/doctest.h>

#include "api/http_text.hpp"
#include "api/places.hpp"

using namespace arizuko;
using namespace std::chrono_literals;

namespace {

int refused(std::string_view fields, const api::Limits& limits = {}) {
  const auto head =
      api::parse_head("POST /livez HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n", limits);
  return head ? 0 : head.error().status;
}

api::Claim claim(api::Claim::Waits waits, std::chrono::milliseconds since, std::string peer = "") {
  return {waits, std::chrono::steady_clock::time_point(since), std::move(peer)};
}

std::size_t who_goes(const std::vector<api::Claim>& claims, std::chrono::milliseconds now) {
  return api::least_deserving(claims, std::chrono::steady_clock::time_point(now));
}

}  // namespace

TEST_CASE("http text: the probe port takes no body, and says so by the head") {
  CHECK(refused("") == 0);
  CHECK(refused("Content-Length: 0\r\n") == 0);
  CHECK(refused("Content-Length: 1\r\n") == 413);
  CHECK(refused("Content-Length: 18446744073709551615\r\n") == 413);
  CHECK(refused("Transfer-Encoding: chunked\r\n") == 413);
}

TEST_CASE("http text: the control socket skips a body by its length, up to its limit") {
  const auto head =
      api::parse_head("POST /v1/reload HTTP/1.1\r\nContent-Length: 7\r\n\r\n", api::control_limits);
  REQUIRE(head);
  CHECK(head->body_bytes == 7);
  CHECK(refused("Content-Length: 65536\r\n", api::control_limits) == 0);
  CHECK(refused("Content-Length: 65537\r\n", api::control_limits) == 413);
  CHECK(refused("Transfer-Encoding: chunked\r\n", api::control_limits) == 501);
}

TEST_CASE(
    "http text: a Transfer-Encoding that is not exactly chunked is refused, also beside Content-Length") {
  for (const api::Limits& limits : {api::Limits{}, api::control_limits}) {
    CHECK(refused("Transfer-Encoding: xchunked\r\n", limits) == 501);
    CHECK(refused("Transfer-Encoding: gzip, chunked\r\n", limits) == 501);
    CHECK(refused("Transfer-Encoding: identity\r\n", limits) == 501);
    CHECK(refused("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", limits) == 400);
    CHECK(refused("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", limits) == 400);
    CHECK(refused("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", limits) == 400);
    CHECK(refused("Content-Length: 3\r\nContent-Length: 4\r\n", limits) == 400);
    CHECK(refused("Content-Length: -1\r\n", limits) == 400);
  }
}

TEST_CASE("http text: the end of a head is found where it comes in pieces") {
  CHECK(api::end_of_head("GET / HTTP/1.1\r\n\r", 0) == std::string_view::npos);
  CHECK(api::end_of_head("GET / HTTP/1.1\r\n\r\nGET", 14) == 18);
}

TEST_CASE("places: a peer that has stalled goes before a follower, and that before one that came just now") {
  using enum api::Claim::Waits;
  CHECK(who_goes({claim(for_news, 0ms), claim(for_its_peer, 100ms), claim(for_its_peer, 9900ms)}, 10s) == 1);
  CHECK(who_goes({claim(for_news, 0ms), claim(for_its_peer, 9900ms)}, 10s) == 0);
}

TEST_CASE("places: whoever waits longest goes first among equals") {
  using enum api::Claim::Waits;
  CHECK(who_goes({claim(for_its_peer, 2s), claim(for_its_peer, 1s), claim(for_its_peer, 3s)}, 10s) == 1);
  CHECK(who_goes({claim(for_its_peer, 9500ms), claim(for_its_peer, 9400ms)}, 10s) == 1);
}

TEST_CASE("places: a flood from one address sends its own connections away, not the kubelet's") {
  using enum api::Claim::Waits;
  CHECK(who_goes({claim(for_its_peer, 9900ms, "kubelet"), claim(for_its_peer, 9990ms, "flood"),
                  claim(for_its_peer, 9995ms, "flood")},
                 10s) == 1);
}
