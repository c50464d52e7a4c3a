// Channels, watches, the log's rest: bytes in, pieces out.
#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include "attach_channels.hpp"
#include "log_fill.hpp"
#include "watch.hpp"

namespace arizuko::agents {
namespace {

using Position = AttachChannels::Position;

}  // namespace

TEST_CASE("channels: messages in parts keep their channel; the empty ones of v4 mean nothing") {
  AttachChannels channels;
  CHECK(!channels.feed("\x01", Position::begins_message));
  CHECK(!channels.feed("", Position::begins_message));
  auto piece = channels.feed(
      "\x02"
      "err",
      Position::begins_message);
  REQUIRE(piece);
  CHECK(piece->channel == Channel::standard_error);
  piece = channels.feed("more", Position::continues_message);
  REQUIRE(piece);
  CHECK(piece->channel == Channel::standard_error);
  CHECK(piece->bytes == "more");
  piece = channels.feed("\x01out", Position::begins_message);
  REQUIRE(piece);
  CHECK(piece->channel == Channel::standard_output);
  CHECK(!channels.feed(std::string_view{"\xff\x01", 2}, Position::begins_message));
  CHECK(
      !channels.feed("\x07"
                     "what",
                     Position::begins_message));
}

TEST_CASE("channels: the status of channel 3 brings success, message and exit code") {
  AttachChannels channels;
  CHECK(!channels.status());
  channels.feed("\x03{\"status\":\"Failure\",\"message\":\"no\",", Position::begins_message);
  CHECK(!channels.status());
  channels.feed(R"("details":{"causes":[{"reason":"ExitCode","message":"7"}]}})",
                Position::continues_message);
  const auto status = channels.status();
  REQUIRE(status);
  CHECK(!status->success);
  CHECK(status->message == "no");
  CHECK(status->exit_code == 7);
}

TEST_CASE("channels: input and its end have the bytes of the protocol") {
  CHECK(stdin_message("x") == std::string{"\0x", 2});
  CHECK(stdin_end_message() == std::string{"\xff\0", 2});
}

TEST_CASE("watch: events and bookmarks move the position on, 410 forgets it") {
  WatchPosition position;
  CHECK(position.must_list());
  position.listed(json::parse(R"({"metadata":{"resourceVersion":"10"}})"));
  CHECK(!position.must_list());
  const auto take = [&](const char* text) { return position.take(json::parse(text)).kind; };
  using enum WatchPosition::Kind;
  CHECK(take(R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"11"}}})") == changed);
  CHECK(take(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"20"}}})") == nothing);
  CHECK(position.version() == "20");
  CHECK(take(R"({"type":"DELETED","object":{"metadata":{"resourceVersion":"21"}}})") == gone);
  CHECK(take(R"({"type":"ERROR","object":{"code":500}})") == failed);
  CHECK(position.version() == "21");
  CHECK(take(R"({"type":"ERROR","object":{"code":410}})") == forgotten);
  CHECK(position.must_list());
}

TEST_CASE("watch: lines come whole out of pieces, and one that is too long is left out") {
  LineBuffer lines(5);
  std::string seen;
  const auto keep = [&](std::string_view line) { seen.append(line).append("|"); };
  for (const std::string_view bytes : {"ab", "c\nde\n", "toolong\n", "too", "long", "\n\nx", "y"})
    lines.feed(bytes, keep);
  CHECK(seen == "abc|de||");
  CHECK(lines.rest() == "xy");
  lines.feed("zzzz", keep);
  CHECK(lines.rest() == "");
}

TEST_CASE("log: what attach brought is taken away from it, what is left was missing") {
  LogFill fill;
  fill.seen(Channel::standard_error, "[ant] b\n[ant] c\n[ant]");
  fill.seen(Channel::standard_output, "out\n");
  fill.seen(Channel::standard_error, " d");
  fill.end_of_output();
  std::string missing;
  for (const std::string_view line : {"[ant] a", "[ant] b", "out", "[ant] c", "[ant] c", "[ant] d"})
    if (fill.is_missing(line)) missing.append(line).append("|");
  CHECK(missing == "[ant] a|[ant] c|");
}

TEST_CASE(
    "log: of an agent that wrote more lines than are remembered only what came before attach is missing") {
  LogFill fill;
  std::string many;
  for (std::size_t line = 0; line < 2 * LogFill::most_lines; ++line) many += std::to_string(line) + "\n";
  fill.seen(Channel::standard_output, many);
  fill.end_of_output();
  CHECK(fill.is_missing("early"));
  CHECK(!fill.is_missing("0"));
  CHECK(!fill.is_missing(std::to_string(2 * LogFill::most_lines - 1)));
}

}  // namespace arizuko::agents
