// Whatever answers a health check: the same comes out however the bytes arrive, nothing is kept beyond its
// limit, and an answer that is closed has come to an end.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "arizuko/host/conditions/http_answer.hpp"

using namespace arizuko::host;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

HttpAnswer read(std::string_view text, std::size_t step, HttpAnswer::Body body) {
  HttpAnswer answer(body);
  for (std::size_t at = 0; at < text.size(); at += step) answer.take(text.substr(at, step));
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto body : {HttpAnswer::Body::may_follow, HttpAnswer::Body::never_follows}) {
    HttpAnswer whole = read(text, std::max<std::size_t>(size, 1), body);
    HttpAnswer pieces = read(text, 3, body);
    require(whole.state() == pieces.state() && whole.status() == pieces.status());
    require(whole.body() == pieces.body() && whole.trouble() == pieces.trouble());
    require(whole.body().size() <= longest_body_bytes);
    require((whole.state() == HttpAnswer::State::broken) == !whole.trouble().empty());
    whole.close();
    require(whole.state() == HttpAnswer::State::complete || whole.state() == HttpAnswer::State::broken);
    require(whole.state() != HttpAnswer::State::complete || whole.status() >= 101);
  }
  return 0;
}
