#include <doctest/doctest.h>

#include "arizuko/base/times.hpp"
#include "cli/render.hpp"

using namespace arizuko;
using namespace arizuko::cli;

namespace {

constexpr std::string_view answer =
    R"({"instance":"demo","state":"booting","generation":2,"services":[)"
    R"({"name":"seed","kind":"task","state":"done","pid":null,"since":"2026-11-22T10:00:00.000Z","restarts":0,"port":null,"waiting_for":[],"cause":"x"},)"
    R"({"name":"gated","kind":"service","state":"ready","pid":17,"since":"2026-11-22T10:00:58.500Z","restarts":12,"port":9080,"waiting_for":[],"cause":"x"},)"
    R"({"name":"teled","kind":"service","state":"blocked","pid":null,"since":"2026-11-22T10:00:59.000Z","restarts":0,"port":9001,"waiting_for":["CHANNEL_SECRET"],"cause":"a needed value is missing"},)"
    R"({"name":"slakd","kind":"service","state":"off","pid":null,"since":"2026-11-22T10:00:59.000Z","restarts":0,"port":9008,"waiting_for":[],"cause":"SLACK_BOT_TOKEN is not set"}]})";

}  // namespace

TEST_CASE("render: memory and tasks are columns where services have control groups") {
  std::string text(answer);
  const std::string gated = "\"cause\":\"x\"},";
  const std::size_t at = text.find(gated, text.find("gated"));
  text.replace(at, gated.size(),
               "\"cause\":\"x\",\"usage\":{\"memory_bytes\":13107200,\"memory_peak_bytes\":null,"
               "\"memory_kills\":0,\"processes\":7,\"cpu_seconds\":1.5}},");
  const auto status = parse_status(text);
  REQUIRE(status);
  const std::string table = status_text(*status, "why", 0, Colour::off);
  CHECK(table.find("RESTARTS  MEMORY  TASKS  NOTE") != std::string::npos);
  CHECK(table.find("12     12M      7") != std::string::npos);
  CHECK(status_text(*parse_status(answer), "why", 0, Colour::off).find("MEMORY") == std::string::npos);
}

TEST_CASE("render: status is an aligned table with what a reader asks next") {
  const auto status = parse_status(answer);
  REQUIRE(status);
  const std::int64_t now = *base::parse_rfc3339("2026-11-22T10:01:00.000Z");
  const std::string text = status_text(*status, "teled is blocked.", now, Colour::off);
  CHECK(text.starts_with("demo is booting: teled is blocked.\n\nNAME   STATE "));
  CHECK(text.find("gated  ready    1.5 s   17  9080        12\n") != std::string::npos);
  CHECK(text.find("teled  blocked") != std::string::npos);
  CHECK(text.find("waits for CHANNEL_SECRET\n") != std::string::npos);
  CHECK(text.find("SLACK_BOT_TOKEN is not set\n") != std::string::npos);
  CHECK(text.find(" \n") == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("render: colours change nothing but the colour") {
  const auto status = parse_status(answer);
  REQUIRE(status);
  const std::int64_t now = *base::parse_rfc3339("2026-11-22T10:01:00.000Z");
  std::string coloured = status_text(*status, "why", now, Colour::on);
  CHECK(coloured.find("\x1b[32mready\x1b[0m") != std::string::npos);
  for (std::size_t at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b')) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  std::string plain = status_text(*status, "why", now, Colour::off);
  CHECK(coloured.substr(0, 20) == plain.substr(0, 20));
}

TEST_CASE("render: an answer of something else is an error, not a crash") {
  CHECK_FALSE(parse_status(""));
  CHECK_FALSE(parse_status("[]"));
  CHECK_FALSE(parse_status("{\"services\":3}"));
  CHECK(parse_status("{\"services\":[3,{}]}")->services.size() == 1);
  CHECK_FALSE(event_text("nonsense", Colour::off));
  CHECK_FALSE(log_text("3", Colour::off));
}

TEST_CASE("render: an event of the pod, and a gap, read as sentences") {
  CHECK(
      event_text(
          R"({"seq":4,"time":"2026-11-22T10:00:00.005Z","service":null,"event":"gap","from":null,"to":null,"cause":"3 events were lost"})",
          Colour::off) == "10:00:00.005 pod          gap: 3 events were lost\n");
  CHECK(
      log_text(
          R"({"seq":4,"time":"2026-11-22T10:00:00.005Z","service":null,"stream":"gap","text":"3 lines were lost"})",
          Colour::off) == "10:00:00.005 arizuko-init | 3 lines were lost\n");
}

TEST_CASE("render: what a daemon wrote or is called cannot drive the terminal") {
  const std::string event =
      event_text(
          R"({"time":"2026-11-22T10:00:00.005Z","service":"x","event":"exited","cause":"leaving a\u001b[31mZ\nforged"})",
          Colour::on)
          .value_or("");
  CHECK(event == "10:00:00.005 x            exited: leaving a\\x1b[31mZ\\nforged\n");
  const std::string line =
      log_text(
          R"({"time":"2026-11-22T10:00:00.005Z","service":"x","stream":"stdout","text":"\u001b]0;t\u0007\u009b2Jz\r"})",
          Colour::off)
          .value_or("");
  CHECK(line == "10:00:00.005 x            | \\x1b]0;t\\x07\\x9b2Jz\\r\n");
}

TEST_CASE("render: logs shows a daemon's JSON line as the console of run does") {
  CHECK(
      log_text(
          R"({"time":"2026-11-22T10:00:00.005Z","service":"gated","stream":"stderr","text":"{\"time\":\"t\",\"level\":\"WARN\",\"msg\":\"slow\",\"n\":1}"})",
          Colour::off) == "10:00:00.005 gated        | WARN slow n=1\n");
}

TEST_CASE("render: the first table shows when each service became ready") {
  engine::View view;
  view.services.resize(2);
  view.services[0].name = "gated";
  view.services[0].state = engine::State::ready;
  view.services[0].run.pid = 17;
  view.services[0].port = 9080;
  view.services[0].run.start_time = std::chrono::milliseconds(850);
  view.services[1].name = "emaid";
  view.services[1].state = engine::State::off;
  view.services[1].cause = "EMAIL_ACCOUNT is not set";
  CHECK(ready_table(view, Colour::off) ==
        "NAME   STATE  PID  PORT  READY AFTER  NOTE\n"
        "gated  ready   17  9080       850 ms\n"
        "emaid  off      -     -            -  EMAIL_ACCOUNT is not set\n");
}
