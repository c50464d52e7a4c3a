#include "arizuko/env/dotenv.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace arizuko::env;

namespace {

/// "3 A=[x] 5 B=[y] | 7 C fatal: what": everything that parse_dotenv says, as one text.
std::string show(std::string_view text) {
  const Dotenv dotenv = parse_dotenv(text);
  std::string shown;
  for (const auto& entry : dotenv.entries) {
    shown += fmt::format("{}{} {}=[{}]", shown.empty() ? "" : " ", entry.line, entry.name, entry.value);
  }
  for (const auto& problem : dotenv.problems) {
    shown += fmt::format("{}| {} {} {}: {}", shown.empty() ? "" : " ", problem.line, problem.name,
                         problem.fatal ? "fatal" : "notice", problem.what);
  }
  return shown;
}

constexpr const char* dollar =
    "holds '$' before a name: taken as written, where godotenv would expand it; write \\$ or use single "
    "quotes";
constexpr const char* bad_name =
    "not a variable's name: letters, digits and '_', no digit first, at most 128";

}  // namespace

TEST_CASE("dotenv: reads what godotenv reads") {
  struct Row {
    std::string_view text;
    std::string_view shown;
  };
  const Row rows[] = {
      {"", ""},
      {"\n\n  \n", ""},
      {"A=b", "1 A=[b]"},
      {"A=b\n", "1 A=[b]"},
      {"A=\n", "1 A=[]"},
      {"A=", "1 A=[]"},
      {"A = b \n", "1 A=[b]"},
      {"\tA\t=\tb\t\n", "1 A=[b]"},
      {"A: b\n", "1 A=[b]"},
      {"A=b=c:d\n", "1 A=[b=c:d]"},
      {"export A=b\nexport\tB=c\n", "1 A=[b] 2 B=[c]"},
      {"exported=b\nexport=c", "1 exported=[b] 2 export=[c]"},
      {"# only a comment", ""},
      {"# A=b\n  # C=d\nE=f", "3 E=[f]"},
      {"A=b # comment\n", "1 A=[b]"},
      {"A=b#c\n", "1 A=[b#c]"},
      {"A=b#c #d\n", "1 A=[b#c]"},
      {"A= # comment\nB=c", "1 A=[] 2 B=[c]"},
      {"A=b\r\nC=d\r\n", "1 A=[b] 2 C=[d]"},
      {"A=\r\nC=d\r\n", "1 A=[] 2 C=[d]"},
      {"A=b\rC=d", "1 A=[b] 1 C=[d]"},
      {"\xEF\xBB\xBF"
       "A=b",
       "1 A=[b]"},
      {"A='b c'\n", "1 A=[b c]"},
      {"A='b # c' # d\nE=f", "1 A=[b # c] 2 E=[f]"},
      {"A='b\\n$C'", "1 A=[b\\n$C]"},
      {"A='b\nc'\nD=e", "1 A=[b\nc] 3 D=[e]"},
      {"A='b\r\nc'\r\n", "1 A=[b\nc]"},
      {"A=\"b c\"", "1 A=[b c]"},
      {"A=\"\"", "1 A=[]"},
      {"A=''", "1 A=[]"},
      {"A=\"b\\nc\\rd\"", "1 A=[b\nc\rd]"},
      {"A=\"b\\\\nc\"", "1 A=[b\\nc]"},
      {"A=\"b\\\"c\\\"d\"", "1 A=[b\"c\"d]"},
      {"A=\"b\\tc\"", "1 A=[btc]"},
      {"A=\"b\\$C\"", "1 A=[b$C]"},
      {"A=b\\$C", "1 A=[b$C]"},
      {"A=\"b\nc\n\"\nD=e", "1 A=[b\nc\n] 4 D=[e]"},
      {"A=\"b\r\nc\"", "1 A=[b\nc]"},
      {"A=\"b\\\r\nc\"", "1 A=[b\nc]"},
      {"A=\"b\" # c\nD=e", "1 A=[b] 2 D=[e]"},
      {"A=\"b\"# c\nD=e", "1 A=[b] 2 D=[e]"},
      {"A=\"b\" C=d", "1 A=[b] 1 C=[d]"},
      {"A=b\"c\"", "1 A=[b\"c\"]"},
      {"A=b\nA=c", "1 A=[b] 2 A=[c]"},
      {"A=xoxb-1$abc", "1 A=[xoxb-1$abc]"},
      {"A=100$", "1 A=[100$]"},
      {"A=\xC3\xA4", "1 A=[\xC3\xA4]"},
      {"# last", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(show(row.text) == row.shown);
  }
}

TEST_CASE("dotenv: what godotenv would read otherwise is taken as meant, and said") {
  CHECK(show("A=b$C") == fmt::format("1 A=[b$C] | 1 A notice: {}", dollar));
  CHECK(show("A=${C}") == fmt::format("1 A=[${{C}}] | 1 A notice: {}", dollar));
  CHECK(show("A=\"$(C)\"") == fmt::format("1 A=[$(C)] | 1 A notice: {}", dollar));
  CHECK(show("A=#b") == "1 A=[#b] | 1 A notice: the value begins with '#': quote it, godotenv fails on it");
  CHECK(show("A=\"b\\\\\"\nC=d") ==
        "1 A=[b\\] 2 C=[d] | 1 A notice: an escape stands before the closing quote: godotenv reads it "
        "differently");
  CHECK(
      show("A='b\\'c'") ==
      "1 A=[b\\'c] | 1 A notice: holds \\': the quote is not the end of the value, and the backslash stays");
}

TEST_CASE("dotenv: a wrong line is named by number and key, and the rest is read") {
  CHECK(show("1A=b\nC=d") == fmt::format("2 C=[d] | 1 1A fatal: {}", bad_name));
  CHECK(show("a.b=c") == fmt::format("| 1 a.b fatal: {}", bad_name));
  CHECK(show("a.b=\"c\nd\"\nE=f") == fmt::format("3 E=[f] | 1 a.b fatal: {}", bad_name));
  CHECK(show("A\nB=c") == "2 B=[c] | 1  fatal: neither '=' nor ':' in this line: write NAME=value");
  CHECK(show("export A\nB=c") == "2 B=[c] | 1  fatal: neither '=' nor ':' in this line: write NAME=value");
  CHECK(show("=b") == fmt::format("| 1  fatal: {}", bad_name));
  CHECK(show("A=\"b\"c\nD=e") == "1 A=[b] 2 D=[e] | 1  fatal: unexpected text behind the closing quote");
  CHECK(show(std::string_view("A=b\0c\nD=e", 9)) == "2 D=[e] | 1 A fatal: the value holds a NUL byte");
  CHECK(show("A=b\nC=\"d\nE=f\n") ==
        "1 A=[b] | 2 C fatal: no closing \" up to the end of the file: nothing from here on was read");
  CHECK(show("A='b") == "| 1 A fatal: no closing ' up to the end of the file: nothing from here on was read");
  CHECK(show("A=" + std::string(200'000, 'x')) ==
        "| 1 A fatal: the value is longer than 130816 bytes, more than a process can be given");
}

TEST_CASE("dotenv: a problem never shows what may be a value") {
  const std::string secret = "c2VjcmV0";
  for (const std::string& text : {
           secret,               // a value alone in its line
           "5" + secret + "==",  // the end of base64
           "5" + secret + "=",
           "sk-" + secret + "/+ab=x",  // not a name at all
           "A=\"b\"" + secret,
           "A=\"b\"5" + secret + "=",
           "A='" + secret,
           "A=" + secret + std::string(1, '\0'),
           "A=" + secret + "$B",
           "-----BEGIN KEY-----\n" + secret + "\n-----END KEY-----",
       }) {
    CAPTURE(text);
    const Dotenv dotenv = parse_dotenv(text);
    CHECK(!dotenv.problems.empty());
    for (const auto& problem : dotenv.problems) {
      CHECK(problem.name.find(secret) == std::string::npos);
      CHECK(problem.what.find(secret) == std::string::npos);
    }
  }
}

TEST_CASE("dotenv: size and number are bounded") {
  CHECK(show(std::string(max_dotenv_bytes + 1, '\n')) == "| 0  fatal: larger than 1 MiB");
  CHECK(show(std::string(max_dotenv_bytes, '\n')).empty());
  std::string many;
  for (std::size_t i = 0; i < max_dotenv_entries + 5; ++i) many += "A=b\n";
  const Dotenv dotenv = parse_dotenv(many);
  CHECK(dotenv.entries.size() == max_dotenv_entries);
  REQUIRE(dotenv.problems.size() == 1);
  CHECK(dotenv.problems[0].line == max_dotenv_entries + 1);
  CHECK(dotenv.problems[0].what == "more than 4096 values");
}
