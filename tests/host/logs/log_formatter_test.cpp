#include <doctest/doctest.h>

#include "arizuko/host/logs/log_output.hpp"

using namespace arizuko::host;
using arizuko::plan::LogFormat;

namespace {

// 2026-11-22T12:00:01.123456789Z
constexpr std::int64_t noon = 1'795'348'801'123'456'789;

std::string formatted(LogFormat format, const LogRecord& record, bool colour = false) {
  LogFormatter formatter(format, colour, 8);
  std::string out;
  formatter.append(out, record, noon);
  REQUIRE(out.ends_with('\n'));
  out.pop_back();
  return out;
}

std::string console(std::string_view text) {
  const std::string out = formatted(LogFormat::console, {.service = "gated", .text = text});
  constexpr std::string_view prefix = "12:00:01.123 gated    | ";
  REQUIRE(out.starts_with(prefix));
  return out.substr(prefix.size());
}

std::string json(std::string_view text) {
  return formatted(LogFormat::json, {.service = "gated", .text = text});
}

/// What stands before the members of a daemon's object that bears no time.
std::string spliced(std::string_view members) {
  return R"({"time":"2026-11-22T12:00:01.123456789Z","service":"gated","stream":"stderr")" +
         std::string(members);
}

std::string wrapped(std::string_view escaped) {
  return R"({"time":"2026-11-22T12:00:01.123456789Z","service":"gated","stream":"stderr","msg":")" +
         std::string(escaped) + "\"}";
}

}  // namespace

TEST_CASE("log formatter: console has UTC time, aligned name and the text") {
  CHECK(formatted(LogFormat::console, {.service = "gated", .text = "hello"}) ==
        "12:00:01.123 gated    | hello");
  CHECK(formatted(LogFormat::console, {.service = "longer-name", .text = ""}) ==
        "12:00:01.123 longer-name | ");
  CHECK(formatted(LogFormat::console, {.service = "gated", .text = "long", .cut = true}) ==
        "12:00:01.123 gated    | long [cut]");
}

TEST_CASE("log formatter: in the journal a line has the priority of its level, and no time") {
  const auto line = [](std::string_view text) {
    return formatted(LogFormat::journal, {.service = "gated", .text = text}, true);
  };
  CHECK(line("hello") == "<6>gated: hello");
  CHECK(line(R"({"time":"x","level":"INFO","msg":"up","port":80})") == "<6>gated: INFO up port=80");
  CHECK(line(R"({"level":"WARN","msg":"slow"})") == "<4>gated: WARN slow");
  CHECK(line(R"({"level":"error","msg":"gone"})") == "<3>gated: ERROR gone");
  CHECK(line(R"({"level":"DEBUG","msg":"x"})") == "<7>gated: DEBUG x");
  CHECK(line("ERROR in a text that has no level") == "<6>gated: ERROR in a text that has no level");
  CHECK(line("<0>a daemon's own prefix") == "<6>gated: <0>a daemon's own prefix");
  CHECK(formatted(LogFormat::journal, {.service = "gated", .text = "long", .cut = true}) ==
        "<6>gated: long [cut]");
  LogRecord own{.service = "arizuko-init", .level = Level::warn, .text = "{not parsed", .own = true};
  CHECK(formatted(LogFormat::journal, own) == "<4>arizuko-init: {not parsed");
  own.level = Level::error;
  CHECK(formatted(LogFormat::journal, own) == "<3>arizuko-init: {not parsed");
}

TEST_CASE("log formatter: our own lines say their level unless it is info") {
  LogRecord record{.service = "arizuko-init", .text = "{not parsed", .own = true};
  CHECK(formatted(LogFormat::console, record) == "12:00:01.123 arizuko-init | {not parsed");
  CHECK(
      formatted(LogFormat::json, record) ==
      R"({"time":"2026-11-22T12:00:01.123456789Z","level":"INFO","service":"arizuko-init","msg":"{not parsed"})");
  record.level = Level::warn;
  CHECK(formatted(LogFormat::console, record) == "12:00:01.123 arizuko-init | WARN {not parsed");
  record.level = Level::error;
  record.text = "a \"b\"";
  CHECK(
      formatted(LogFormat::json, record) ==
      R"({"time":"2026-11-22T12:00:01.123456789Z","level":"ERROR","service":"arizuko-init","msg":"a \"b\""})");
}

TEST_CASE("log formatter: a terminal gets colours by name and by level, anything else none") {
  const auto coloured = [](const LogRecord& record) { return formatted(LogFormat::console, record, true); };
  const std::string gated = coloured({.service = "gated", .text = "x"});
  const std::string again = coloured({.service = "gated", .text = "x"});
  CHECK(gated == again);
  CHECK(gated.starts_with("12:00:01.123 \x1b["));
  CHECK(gated.ends_with("mgated   \x1b[0m | x"));
  CHECK(coloured({.service = "g", .text = R"({"level":"ERROR","msg":"m"})"})
            .ends_with("| \x1b[31mERROR\x1b[0m m"));
  CHECK(coloured({.service = "g", .text = R"({"level":"WARN","msg":"m"})"})
            .ends_with("| \x1b[33mWARN\x1b[0m m"));
  CHECK(coloured({.service = "g", .text = R"({"level":"INFO","msg":"m"})"}).ends_with("| INFO m"));
  CHECK(coloured({.service = "arizuko-init", .level = Level::error, .text = "m", .own = true}) ==
        "12:00:01.123 \x1b[1marizuko-init\x1b[0m | \x1b[31mERROR\x1b[0m m");
}

TEST_CASE("log formatter: a daemon cannot drive the operator's terminal") {
  CHECK(console("a\tb") == "a\tb");
  CHECK(console("\x1b[2J\x1b]0;title\x07") == "\\x1b[2J\\x1b]0;title\\x07");
  CHECK(console("a\rb\x7f") == "a\\rb\\x7f");
  CHECK(console(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(console("gr\xC3\xBC\xC3\x9F \xE2\x9C\x93 \xF0\x9F\x98\x80") ==
        "gr\xC3\xBC\xC3\x9F \xE2\x9C\x93 \xF0\x9F\x98\x80");
  CHECK(console("\xC2\x9B"
                "2J") == "\\x9b2J");  // U+009B is CSI
  CHECK(console("\x9B"
                "2J") == "\\x9b2J");  // also alone, in an 8-bit terminal
  CHECK(console("\xC3") == "\\xc3");
  CHECK(console("\xED\xA0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(console("\xC0\xAF") == "\\xc0\\xaf");           // overlong
  CHECK(console(R"({"level":"INFO","msg":"a\u001b[2Jb\nc","k\u001b":"\u009b"})") ==
        "INFO a\\x1b[2Jb\\nc k\\x1b=\\x9b");
}

TEST_CASE("log formatter: slog's JSON is shown as level, message and key=value") {
  CHECK(console(R"({"time":"2026-11-22T12:00:01Z","level":"INFO","msg":"arizuko running","port":9080})") ==
        "INFO arizuko running port=9080");
  CHECK(console(R"({"level":"warn","msg":"x"})") == "WARN x");
  CHECK(console(R"({"level":"ERROR+2","msg":"x"})") == "ERROR+2 x");
  CHECK(console(R"({"msg":"x","a":"b","level":"DEBUG","c":true})") == "DEBUG x a=b c=true");
  CHECK(
      console(
          R"({"level":"INFO","msg":"x","a":"b c","d":"","e":"f=g","h":"say \"hi\" \\","i":null,"j":-1.5e3})") ==
      R"(INFO x a="b c" d="" e="f=g" h="say \"hi\" \\" i=null j=-1.5e3)");
  CHECK(console(R"({"level":"INFO","msg":"x","a":{"b":[1,"c"]},"d":[]})") ==
        R"(INFO x a={"b":[1,"c"]} d=[])");
  CHECK(console(R"({"level":"INFO","msg":"\u00e4 \ud83d\ude00 \/"})") == "INFO \xC3\xA4 \xF0\x9F\x98\x80 /");
  CHECK(console("{ \"level\" : \"INFO\" , \"msg\" : \"x\" }  ") == "INFO x");
}

TEST_CASE("log formatter: a JSON line that is not slog's is shown as it is") {
  std::string many = R"({"level":"INFO","msg":"x")";
  for (int i = 0; i < 60; ++i) many += R"(,"k)" + std::to_string(i) + R"(":1)";
  many += '}';
  for (const std::string& text :
       {std::string("{}"), std::string(R"({"level":30,"msg":"pino"})"), std::string(R"({"level":"INFO"})"),
        std::string(R"({"level":"INFO","msg":1})"), std::string(R"({"level":"INFO","msg":"x")"),
        std::string(R"({"level":"INFO","msg":"x"} trailing)"),
        std::string(R"({"level":"INFO","msg":"x","msg":"y"})"),
        std::string(R"({"level":"a sentence","msg":"x"})"), std::string(R"({"level":"INFO","msg":"x",})"),
        many}) {
    CHECK(console(text) == text);
  }
}

TEST_CASE("log formatter: json keeps a daemon's object byte for byte and adds the service") {
  CHECK(json(R"({"time":"t","level":"INFO","msg":"a  b"})") ==
        R"({"service":"gated","time":"t","level":"INFO","msg":"a  b"})");
  CHECK(json(R"({ "ts" : 1.50, "b" : [ ] } )") == R"({"service":"gated", "ts" : 1.50, "b" : [ ] })");
  CHECK(json(R"({"timestamp":1,"a":{"service":"inner"}})") ==
        R"({"service":"gated","timestamp":1,"a":{"service":"inner"}})");
  CHECK(json("{\"@timestamp\":1,\"a\":\"\xC3\xA4\"}") ==
        "{\"service\":\"gated\",\"@timestamp\":1,\"a\":\"\xC3\xA4\"}");
  CHECK(json(R"({"a":-0.1e+5,"time":"\ud83d\ude00"})") ==
        R"({"service":"gated","a":-0.1e+5,"time":"\ud83d\ude00"})");
}

TEST_CASE("log formatter: json gives an object that bears no time ours, and the stream") {
  CHECK(json(R"({"level":"INFO","msg":"x"})") == spliced(R"(,"level":"INFO","msg":"x"})"));
  CHECK(json("{}") == spliced("}"));
  CHECK(json("{ }") == spliced(" }"));
  CHECK(json(R"({"a":{"time":1}})") == spliced(R"(,"a":{"time":1}})"));
  CHECK(json(R"({"stream":"live"})") ==
        R"({"time":"2026-11-22T12:00:01.123456789Z","service":"gated","stream":"live"})");
}

TEST_CASE("log formatter: in json a daemon cannot pass for another service, and no key stands twice") {
  CHECK(json(R"({"service":"theirs","n":1})") == spliced(R"(,"daemon_service":"theirs","n":1})"));
  CHECK(json(R"({"n":1, "serv\u0069ce" : "theirs"})") == spliced(R"(,"n":1, "daemon_service" : "theirs"})"));
  CHECK(json(R"({"daemon_service":1})") == spliced(R"(,"daemon_service":1})"));
  CHECK(json(R"({"service":1,"daemon_service":2})") == wrapped(R"({\"service\":1,\"daemon_service\":2})"));
  CHECK(json(R"({"service":1,"service":2})") == wrapped(R"({\"service\":1,\"service\":2})"));
}

TEST_CASE("log formatter: json wraps what is not one whole object") {
  struct Row {
    std::string_view text;
    std::string_view escaped;
  };
  const Row rows[] = {
      {"plain", "plain"},
      {"", ""},
      {"a\tb\x1b\x7f", R"(a\tb\u001b\u007f)"},
      {"\"\\", R"(\"\\)"},
      {"\xC3\xA4 \xC3 \xFF", "\xC3\xA4 \xEF\xBF\xBD \xEF\xBF\xBD"},
      {"[1]", "[1]"},
      {"{", "{"},
      {"{a}", "{a}"},
      {"{\"a\":01}", R"({\"a\":01})"},
      {"{\"a\":.5}", R"({\"a\":.5})"},
      {"{\"a\":1.}", R"({\"a\":1.})"},
      {"{\"a\":+1}", R"({\"a\":+1})"},
      {"{\"a\":tru}", R"({\"a\":tru})"},
      {"{\"a\":1,}", R"({\"a\":1,})"},
      {"{\"a\" 1}", R"({\"a\" 1})"},
      {"{\"a\":[1,]}", R"({\"a\":[1,]})"},
      {"{\"a\":\"\\x\"}", R"({\"a\":\"\\x\"})"},
      {"{\"a\":\"\\u12g4\"}", R"({\"a\":\"\\u12g4\"})"},
      {"{\"a\":\"\\ud83d\"}", R"({\"a\":\"\\ud83d\"})"},
      {"{\"a\":\"\\ud83d\\u0041\"}", R"({\"a\":\"\\ud83d\\u0041\"})"},
      {"{\"a\":\"\\ude00\"}", R"({\"a\":\"\\ude00\"})"},
      {"{\"a\":\"b", R"({\"a\":\"b)"},
      {"{\"a\":\"\t\"}", R"({\"a\":\"\t\"})"},
      {"{\"a\":\"\xFF\"}", "{\\\"a\\\":\\\"\xEF\xBF\xBD\\\"}"},
      {"{}{}", "{}{}"},
      {"{} x", "{} x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(json(row.text) == wrapped(row.escaped));
  }
}

TEST_CASE("log formatter: a JSON line nested over 64 levels is text") {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  CHECK(json(nested(64)) == spliced("," + nested(64).substr(1)));
  CHECK(json(nested(65)).contains("\"msg\":"));
  CHECK(json(nested(30'000)).contains("\"msg\":"));
}

TEST_CASE("log formatter: json names the stream and marks a cut line") {
  CHECK(formatted(LogFormat::json, {.service = "s", .stream = Stream::out, .text = "{}", .cut = true}) ==
        R"({"time":"2026-11-22T12:00:01.123456789Z","service":"s","stream":"stdout","msg":"{}","cut":true})");
}

TEST_CASE("log formatter: time follows the clock, over seconds, days and 1970") {
  LogFormatter formatter(LogFormat::json, false, 0);
  const auto time = [&](std::int64_t nanoseconds) {
    std::string out;
    formatter.append(out, {.service = "s", .text = "x"}, nanoseconds);
    return out.substr(9, 30);
  };
  CHECK(time(noon) == "2026-11-22T12:00:01.123456789Z");
  CHECK(time(noon + 1) == "2026-11-22T12:00:01.123456790Z");
  CHECK(time(noon + 1'000'000'000) == "2026-11-22T12:00:02.123456789Z");
  CHECK(time(noon - 43'202'000'000'000) == "2026-11-21T23:59:59.123456789Z");
  CHECK(time(0) == "1970-01-01T00:00:00.000000000Z");
  CHECK(time(-1) == "1969-12-31T23:59:59.999999999Z");
}
