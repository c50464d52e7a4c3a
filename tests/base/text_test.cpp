#include <doctest/doctest.h>

#include <string>

#include "arizuko/base/fnv1a.hpp"
#include "arizuko/base/json_text.hpp"
#include "arizuko/base/nearest.hpp"
#include "arizuko/base/percent.hpp"

using namespace arizuko::base;

TEST_CASE("json: a string is always valid, whatever its bytes are") {
  CHECK(json_string("a\"\\\n\r\t\x7f") == R"("a\"\\\n\r\t\u007f")");
  CHECK(json_string("\xC3\xA9\xE2\x86\x92\xF0\x9F\x98\x80") == "\"\xC3\xA9\xE2\x86\x92\xF0\x9F\x98\x80\"");
  CHECK(json_string(std::string_view("\0\x1b", 2)) == "\"\\u0000\\u001b\"");
  CHECK(json_string("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("percent: what is encoded is what is decoded") {
  std::string every;
  for (int b = 0; b < 256; ++b) every += static_cast<char>(b);
  CHECK(percent_decoded(percent_encoded(every)) == every);
  CHECK(percent_encoded("a-b_c.d~/ \xC3\xA9") == "a-b_c.d~%2F%20%C3%A9");
  CHECK(percent_decoded("a+b%2f") == "a+b/");
}

TEST_CASE("percent: a sequence that is none is refused") {
  for (const char* text : {"%", "%2", "%2x", "a%zz", "%%20"}) CHECK_FALSE(percent_decoded(text));
}

TEST_CASE("nearest: swapped neighbours are one slip, and a word of other letters is nobody's") {
  const std::string_view names[] = {"timed", "gated", "status", "on", "port"};
  CHECK(nearest("gatd", names) == "gated");
  CHECK(nearest("statsu", names) == "status");
  CHECK(nearest("prot", names) == "port");
  CHECK_FALSE(nearest("completely-else", names));
  CHECK_FALSE(nearest("x", names));
  CHECK_FALSE(nearest("no", names));  // half of the word
  CHECK_FALSE(nearest("x", {}));
  CHECK_FALSE(nearest(std::string(129, 'g'), names));
}

TEST_CASE("fnv1a: the published values, in one go and in pieces") {
  CHECK(fnv1a<std::uint32_t>("") == 0x811c9dc5U);
  CHECK(fnv1a<std::uint32_t>("foobar") == 0xbf9cf968U);
  CHECK(fnv1a<std::uint64_t>("foobar") == 0x85944171f73967e8U);
  CHECK(fnv1a("bar", fnv1a<std::uint64_t>("foo")) == 0x85944171f73967e8U);
}
