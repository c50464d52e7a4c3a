// HTTP both ways, over Beast: a server session, a bounded client, and bearer tokens.
//
// Every read is bounded: headers 16 KiB, bodies 1 MiB. Hosts are numeric or `localhost`; any other
// name fails with "no such host", which is what the default LISTEN_URLs (http://telegram:9001) do
// in one network namespace (contract section 2).
#pragma once

#include "config.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace rehearsal {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using Tcp = asio::ip::tcp;

// The request's target without its query.
std::string_view path_of(const Request& request);
// Beast's string views as the standard's.
std::string_view header(const Request& request, http::field name);
// What follows "Bearer "; empty when there is none.
std::string_view bearer_of(const Request& request);

Response text_reply(unsigned status, std::string body);
Response json_reply(unsigned status, std::string body);
// {"ok":false,"error":why}
Response error_reply(unsigned status, std::string_view why);

using Handler = std::function<asio::awaitable<Response>(Request&, const Tcp::endpoint&)>;
// After each answer: what httplog's `request` line is made of.
using AfterAnswer = std::function<void(const Request&, unsigned status, std::chrono::microseconds)>;

// Speaks HTTP/1.1 with one client until it leaves, errs or idles for 30 s.
asio::awaitable<void> serve_session(Tcp::socket socket, const Handler& handler, const AfterAnswer& after);

// Parses as an address of `host`; empty is the IPv6 wildcard (which takes IPv4 as well).
std::expected<asio::ip::address, std::string> numeric_host(std::string_view host);

struct Call {
  http::verb method = http::verb::post;
  std::string url;
  std::string body;
  std::string bearer;
  std::chrono::milliseconds timeout{10'000};  // for all of it: connect, write and read
};
// Errors in net/http's words: Post "URL": dial tcp ADDRESS: connect: connection refused.
asio::awaitable<std::expected<Response, std::string>> http_call(Call call);
// The same for a request that is made already (proxyd).
asio::awaitable<std::expected<Response, std::string>> http_exchange(Url url, Request request,
                                                                    std::chrono::milliseconds timeout);

}  // namespace rehearsal
