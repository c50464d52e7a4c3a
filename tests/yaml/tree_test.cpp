// The tree of a text: lines, bounds, and what is refused with its place.
#include <doctest/doctest.h>

#include <random>

#include <fmt/format.h>

#include "arizuko/yaml/tree.hpp"
#include "doctor/planted.hpp"

using namespace arizuko::yaml;

namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string refused(std::string_view text) {
  const auto parsed = parse(text);
  if (parsed) return "taken";
  const Refused& why = parsed.error();
  return why.line == 0 ? why.what : fmt::format("{}:{}: {}", why.line, why.column, why.what);
}

}  // namespace

TEST_CASE("yaml: every node knows its line, in YAML and in JSON") {
  const auto file = parse("a: 1\n---\nb:\n  - x\n  - {c: 'no', d: no, e: \"7\", f: 7, g: ~}\n");
  REQUIRE(file);
  REQUIRE(file->documents.size() == 2);
  const Value list = file->documents[1]["b"];
  CHECK(list.items()[0].text() == "x");
  CHECK(list.items()[1].line() == 5);
  const Value map = list.items()[1];
  CHECK(map["c"].text() == "no");
  CHECK_FALSE(map["c"].is_false());
  CHECK(map["d"].is_false());
  CHECK_FALSE(map["e"].is_number());
  CHECK(map["e"].number(0) == 7);
  CHECK(map["f"].is_number());
  CHECK_FALSE(map["g"]);
  CHECK(map.key("g").line() == 5);
  const auto json = parse("{\n\t\"a\": {\n\t\t\"b\": [1, true]}}");
  REQUIRE(json);
  CHECK(json->documents[0]["a"]["b"].line() == 3);
  CHECK(json->documents[0]["a"]["b"].items()[1].is_true());
}

TEST_CASE("yaml: what is not there is empty all the way down") {
  const Value nothing;
  CHECK_FALSE(nothing["a"]["b"].items().size());
  CHECK(nothing["a"].text().empty());
  CHECK(nothing["a"].line() == 0);
  CHECK(nothing["a"].number(5) == 5);
}

TEST_CASE("yaml: an alias is the node itself, so a bomb of them stays small") {
  std::string text = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 60; ++i) text += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  const auto file = parse(text);
  REQUIRE(file);
  CHECK(file->nodes.size() < 250);
  CHECK(file->documents[0]["a1"].items()[0].line() == 1);
}

TEST_CASE("yaml: errors name line and column") {
  CHECK(has(refused("a: [1\nb: 2\n"), "2:"));
  CHECK(has(refused("a: &x [*x]\n"), "1:8: an alias of what is not there, or of what it stands in"));
  CHECK(refused("a: 1\nb: 2\na: 3\n") == "3:1: the key a stands here twice");
  CHECK(has(refused("? [a]\n: 1\n"), "a key that is no text"));
  CHECK(has(refused(std::string("a: \xff\xfe\n")), "at byte"));
  CHECK(has(refused(std::string("a: 1\nb: 2\nc: x\x01\n")), "3:5: no YAML or JSON: control characters"));
}

TEST_CASE("yaml: a merge key fills in what is not there, and of several mappings the first wins") {
  const auto file = parse(
      "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n"
      "one:\n  b: 9\n  <<: *x\ntwo: {<<: [*x, *y]}\nkept: {'<<': 5}\n");
  REQUIRE(file);
  const Value root = file->documents[0];
  CHECK(root["one"]["a"].text() == "1");
  CHECK(root["one"]["a"].line() == 1);
  CHECK(root["one"]["b"].text() == "9");
  CHECK(root["two"]["b"].text() == "2");
  CHECK(root["two"]["c"].text() == "4");
  CHECK(root["two"].entries().size() == 3);
  CHECK(root["kept"]["<<"].text() == "5");
  CHECK(has(refused("y:\n  <<: 1\n"), "2:7: a merge key (<<) takes a mapping"));
  CHECK(has(refused("y: &y\n  <<: *y\n"), "an alias of what is not there, or of what it stands in"));
  std::string bomb = "a: &a {";
  for (int i = 0; i < 3000; ++i) bomb += fmt::format("k{}: 1, ", i);
  bomb += "}\nb:\n";
  for (int i = 0; i < 100; ++i) bomb += "  - {<<: *a}\n";
  CHECK(has(refused(bomb), "more than 200000 entries by merge keys"));
}

TEST_CASE("yaml: what editors of other systems put into a file is taken: a byte order mark, CRLF") {
  const auto file = parse("\xef\xbb\xbfkind: Pod\r\nmetadata:\r\n  name: x\r\n");
  REQUIRE(file);
  REQUIRE(file->documents.size() == 1);
  CHECK(file->documents[0]["kind"].text() == "Pod");
  CHECK(file->documents[0]["metadata"]["name"].text() == "x");
}

TEST_CASE("yaml: depth, number and size are bounded") {
  CHECK(has(refused(std::string(65, '[') + std::string(65, ']')), "more than 64 levels"));
  CHECK(refused(std::string(64, '[') + std::string(64, ']')) == "taken");
  std::string many = "[";
  for (int i = 0; i < 200'001; ++i) many += "1,";
  CHECK(has(refused(many + "]"), "more than 200000 nodes"));
  std::string named = "- &x [1]\n";
  for (int i = 0; i < 200'001; ++i) named += "- *x\n";
  CHECK(has(refused(named), "more than 200000 aliases"));
  CHECK(refused(std::string(4 * 1024 * 1024 + 1, ' ')) == "it is larger than 4 MiB");
  CHECK(refused("") == "taken");
}

TEST_CASE("yaml: damaged text is refused or taken, and never a crash") {
  const std::string sound = arizuko::doctor::testing::planted_text("sound.yaml");
  std::mt19937 random(4711);
  constexpr std::string_view odd = "{}[]:,&*!|>'\"%@`#-?\n\t \x80";
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = sound;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = odd[random() % odd.size()];
    taken += parse(text) ? 1 : 0;
  }
  CHECK(taken > 0);
  CHECK(taken < 3000);
}
