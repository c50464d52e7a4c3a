#include <doctest/doctest.h>

#include "arizuko/base/shown.hpp"

using namespace arizuko::base;

TEST_CASE("shown: strangers' text is one line and drives no terminal") {
  CHECK(shown("plain \xC3\xA4\t") == "plain \xC3\xA4\t");
  CHECK(shown("\x1b]52;c;eA==\x07") == "\\x1b]52;c;eA==\\x07");
  CHECK(shown("a\r\nb") == "a\\r\\nb");
  CHECK(shown("\xC2\x9B"
              "2J\xFF\x7f") == "\\x9b2J\\xff\\x7f");
}

TEST_CASE(
    "shown: what a command prints keeps its lines and its colours, and nothing else that a terminal obeys") {
  CHECK(terminal_text("a\tb\nc\n", Paint::none) == "a\tb\nc\n");
  CHECK(terminal_text("\x1b[31mred\x1b[0m\n", Paint::colours) == "\x1b[31mred\x1b[0m\n");
  CHECK(terminal_text("\x1b[31mred\x1b[0m\n", Paint::none) == "\\u001b[31mred\\u001b[0m\n");
  for (const char* hidden : {"\x1b[8m", "\x1b[2J", "\x1b]0;t\x07", "\x1b[31", "\x1b"}) {
    CAPTURE(hidden);
    CHECK_FALSE(terminal_text(hidden, Paint::colours).contains('\x1b'));
  }
  CHECK(terminal_text("\r\xC2\x9B\x7f\xFF\xC3\xA4", Paint::colours) == "\\u000d\\u009b\\u007f\\xff\xC3\xA4");
}
