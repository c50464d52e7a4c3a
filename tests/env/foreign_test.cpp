#include "arizuko/env/foreign.hpp"

#include <doctest/doctest.h>

#include <array>
#include <type_traits>

#include "arizuko/env/foreign_format.hpp"
#include "arizuko/env/redaction.hpp"

using namespace arizuko::env;

// To forget the washing does not compile.
static_assert(!std::is_convertible_v<Foreign, std::string>);
static_assert(!std::is_constructible_v<std::string, Foreign>);
static_assert(!std::is_constructible_v<std::string_view, Foreign>);
static_assert(!fmt::is_formattable<Foreign>::value);
static_assert(!std::is_constructible_v<Washed, Foreign>);
static_assert(!std::is_constructible_v<Washed, std::string>);
static_assert(!std::is_constructible_v<Washed, const char*>);
static_assert(!std::is_constructible_v<Washed, char (&)[8]>);  // filled at run time

TEST_CASE("foreign text: washing takes secret values out, and then it can be read, joined and formatted") {
  Redactor redactor;
  const std::array secret = {SecretValue{"TOKEN", "hunter2-hunter2"}};
  redactor.take(secret);
  const Washed washed = redactor.wash(Foreign("it says hunter2-hunter2"));
  CHECK(washed.text() == "it says [redacted:TOKEN]");
  CHECK("why: " + washed == "why: it says [redacted:TOKEN]");
  CHECK(fmt::format("({})", washed) == "(it says [redacted:TOKEN])");
}

TEST_CASE("foreign text: a literal of our own is clean as it is") {
  const Washed washed = "connection refused";
  CHECK(washed.text() == "connection refused");
  CHECK(Washed("").empty());
}
