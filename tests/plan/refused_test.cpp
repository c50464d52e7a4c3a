// What is refused, and the exact words it is refused with: tests/plan/refused/*.txt hold a plan, a line
// of dashes and the problems it has, then a line of equals signs and the next one.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

/// Checks every plan of one file and says how many there were.
int check_file(const std::string& name) {
  std::ifstream in{ARIZUKO_SOURCE_DIR "/tests/plan/refused/" + name};
  std::string line, text, expected;
  bool behind_dashes = false;
  int count = 0;
  const auto check_one = [&] {
    INFO(text);
    CHECK(problems_of(text) == expected);
    ++count;
  };
  while (std::getline(in, line)) {
    if (line == "----") {
      behind_dashes = true;
    } else if (line == "====") {
      check_one();
      text.clear();
      expected.clear();
      behind_dashes = false;
    } else {
      (behind_dashes ? expected : text) += line + "\n";
    }
  }
  CHECK_MESSAGE(text.empty(), "the last plan needs its ====");
  return count;
}

}  // namespace

TEST_CASE("plan: syntax errors name the place") { CHECK(check_file("syntax.txt") == 12); }
TEST_CASE("plan: unknown keys are told with the nearest known one") {
  CHECK(check_file("unknown.txt") == 17);
}
TEST_CASE("plan: a value of the wrong type is refused with the type it must have") {
  CHECK(check_file("types.txt") == 39);
}
TEST_CASE("plan: units are asked for") { CHECK(check_file("units.txt") == 22); }
TEST_CASE("plan: addresses, urls and paths are numeric, plain and absolute") {
  CHECK(check_file("addresses.txt") == 30);
}
TEST_CASE("plan: names that a service sees, joined values and generated ones are checked") {
  CHECK(check_file("values.txt") == 6);
}
TEST_CASE("plan: names are checked") { CHECK(check_file("names.txt") == 26); }
TEST_CASE("plan: conditions are complete and fit where they stand") {
  CHECK(check_file("conditions.txt") == 18);
}
TEST_CASE("plan: references are resolved or explained") { CHECK(check_file("references.txt") == 18); }
TEST_CASE("plan: links name services that are there, without cycles") {
  CHECK(check_file("links.txt") == 11);
}
TEST_CASE("plan: two on one port are refused with both places") { CHECK(check_file("ports.txt") == 5); }
TEST_CASE("plan: templates, groups and what stands for a list are refused with what would work") {
  CHECK(check_file("templates.txt") == 26);
}
TEST_CASE("plan: stopping must fit in grace") { CHECK(check_file("grace.txt") == 3); }

}  // namespace arizuko::plan
