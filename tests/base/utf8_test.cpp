#include <doctest/doctest.h>

#include <string>

#include "arizuko/base/utf8.hpp"

using namespace arizuko::base;

TEST_CASE("utf8: a character's length is 1 to 4, and what is none has 0") {
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("\xC3\xA9") == 2);
  CHECK(utf8_length("x\xE2\x86\x92", 1) == 3);
  CHECK(utf8_length("\xF0\x9F\x98\x80") == 4);
  CHECK(utf8_length("\x80") == 0);                      // continues nothing
  CHECK(utf8_length("\xC0\xAF") == 0);                  // overlong
  CHECK(utf8_length("\xE0\x9F\xBF") == 0);              // overlong
  CHECK(utf8_length("\xF0\x8F\xBF\xBF") == 0);          // overlong
  CHECK(utf8_length("\xED\xA0\x80") == 0);              // a surrogate
  CHECK(utf8_length("\xF4\x90\x80\x80") == 0);          // above U+10FFFF
  CHECK(utf8_length("\xF5\x80\x80\x80") == 0);          // leads nothing
  CHECK(utf8_length("\xE2\x86") == 0);                  // cut off
  CHECK(utf8_length("\xE2\x86\x92", 1) == 0);           // in its middle
  CHECK(utf8_length("\xF4\x8F\xBF\xBF") == 4);          // the last one
  CHECK(utf8_length("\xED\x9F\xBF\xEE\x80\x80") == 3);  // on both sides of the surrogates
}

TEST_CASE("utf8: each byte that is part of no character is replaced, the rest stays") {
  CHECK(valid_utf8("") == "");
  CHECK(valid_utf8("plain \xC3\xA9") == "plain \xC3\xA9");
  CHECK(valid_utf8("a\xC0\xAF"
                   "b\xE2\x86") ==
        "a\xEF\xBF\xBD\xEF\xBF\xBD"
        "b\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("utf8: every character that is written is one that is read") {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text;
    append_utf8(text, code);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (utf8_length(text) != (surrogate ? 0 : text.size())) FAIL("U+" << code);
  }
}
