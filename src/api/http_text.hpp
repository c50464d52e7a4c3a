// HTTP/1.1 as text: the head of a request in, the head of an answer out. No socket, no clock.
//
// Nothing that this instance answers needs a body: a request that brings one is refused by its head, or,
// where the listener says so, its body is skipped by its length. What nobody can tell the length of is
// refused (RFC 9112, 6.1 and 6.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "arizuko/api/routes.hpp"
#include "arizuko/api/servers.hpp"

namespace arizuko::api {

struct RequestHead {
  std::string method;
  std::string target;
  unsigned version = 11;
  bool keep_alive = false;
  std::uint64_t body_bytes = 0;  // that follow, to be skipped
};

/// Where the head ends, behind its empty line; npos: not yet. Looks from `from` on.
std::size_t end_of_head(std::string_view bytes, std::size_t from);

/// `head` is whole, with its empty line. The error is what to answer before the connection is closed.
std::expected<RequestHead, Response> parse_head(std::string_view head, const Limits& limits);

/// An answer that says which limit a request has met.
Response limit_answer(int status, std::string sentence);

/// Everything in front of the body, with the empty line.
std::string head_text(const Response& response, unsigned version, bool keep_alive);

}  // namespace arizuko::api
