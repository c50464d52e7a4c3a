// Whatever the secrets and the text: no secret is left in it, neither as it is nor in hexadecimal, a text
// without one is handed on untouched, and a cut one does not end with the beginning of one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/env/redaction.hpp"

using namespace arizuko::env;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

void check(Redactor& redactor, const std::vector<SecretValue>& secrets, std::string_view text,
           Ending ending) {
  std::string scratch;
  const std::uint64_t before = redactor.hits();
  const std::string_view shown = redactor.redact(text, scratch, ending);
  require((redactor.hits() == before) == (shown.data() == text.data()));
  for (const SecretValue& each : secrets) {
    require(!shown.contains(each.text));
    require(!shown.contains(hex(each.text)));
    for (std::size_t begun = 4; ending == Ending::cut && begun < each.text.size(); ++begun) {
      require(!text.ends_with(each.text.substr(0, begun)) || shown.ends_with(']'));
    }
  }
}

}  // namespace

// Secrets, each ended by a NUL byte; what is behind the last of those is the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<SecretValue> secrets;
  for (std::size_t end = input.find('\0'); end != std::string_view::npos && secrets.size() < 32;
       end = input.find('\0')) {
    const std::string_view value = input.substr(0, end);
    if (value.size() >= min_secret_bytes)
      secrets.push_back({secrets.size() % 2 == 0 ? "A_TOKEN" : "SETTING", value});
    input.remove_prefix(end + 1);
  }
  Redactor redactor;
  const std::size_t half = secrets.size() / 2;  // these become former ones
  redactor.take(std::span(secrets).first(half));
  const Redactor::Taken taken = redactor.take(std::span(secrets).subspan(half));
  require(taken.patterns <= max_patterns && taken.forgotten == 0 && taken.left_out.empty());
  check(redactor, secrets, input, Ending::whole);
  check(redactor, secrets, input, Ending::cut);
  return 0;
}
