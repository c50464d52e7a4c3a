// Channels, frames, watches, the log's rest: bytes in, pieces out.
#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include "attach_channels.hpp"
#include "frames.hpp"
#include "log_fill.hpp"
#include "watch.hpp"

namespace arizuko::agents {
namespace {

using Position = AttachChannels::Position;

/// What a server sends: unmasked frames.
std::string served(Opcode opcode, std::string_view payload, bool final = true) {
  std::string out(1, static_cast<char>((final ? 0x80 : 0) | static_cast<int>(opcode)));
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else if (payload.size() < 65536) {
    out += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
  } else {
    out += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  return out.append(payload);
}

struct Seen {
  std::string messages;  // "[" begins one
  std::string controls;
  bool fine = true;
};

Seen feed_in_pieces(const std::string& bytes, std::size_t piece) {
  Seen seen;
  FrameReader reader;
  const FrameReader::Handler handler{
      [&](std::string_view part, bool begins) { seen.messages.append(begins ? "[" : "").append(part); },
      [&](Opcode opcode, std::string_view payload) {
        seen.controls += opcode == Opcode::ping ? "ping:" : opcode == Opcode::close ? "close:" : "pong:";
        seen.controls += payload;
      }};
  for (std::size_t at = 0; seen.fine && at < bytes.size(); at += piece)
    seen.fine = reader.feed(std::string_view{bytes}.substr(at, piece), handler);
  return seen;
}

}  // namespace

TEST_CASE("frames: whatever the pieces, the same messages and controls come out") {
  const std::string large(70'000, 'x');
  const auto bytes = served(Opcode::binary, "one") + served(Opcode::binary, "tw", false) +
                     served(Opcode::ping, "p") + served(Opcode::continuation, "", false) +
                     served(Opcode::continuation, "o") + served(Opcode::binary, "") +
                     served(Opcode::binary, large) + served(Opcode::binary, std::string(300, 'y')) +
                     served(Opcode::close, "\x03\xe8");
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u, 100'000u}) {
    const auto seen = feed_in_pieces(bytes, piece);
    CHECK(seen.fine);
    CHECK(seen.messages == "[one[two[" + large + "[" + std::string(300, 'y'));
    CHECK(seen.controls == "ping:pclose:\x03\xe8");
  }
}

TEST_CASE("frames: what a server may not send ends the connection") {
  const std::string masked{"\x82\x81mask\x01", 7};
  const std::string reserved{"\xc2\x01x", 3};
  for (const std::string& bytes : {masked, reserved, served(Opcode::continuation, "x"),
                                   served(Opcode::binary, "x", false) + served(Opcode::binary, "y"),
                                   served(Opcode::ping, std::string(126, 'x')),
                                   served(Opcode::ping, "x", false), served(static_cast<Opcode>(3), "x")}) {
    CHECK(!feed_in_pieces(bytes, 100'000).fine);
  }
}

TEST_CASE("frames: a client's frame is masked and says its length in the shortest way") {
  const Mask mask{1, 2, 3, 4};
  CHECK(frame(Opcode::binary, "ab", mask) == std::string{"\x82\x82\x01\x02\x03\x04\x60\x60", 8});
  CHECK(frame(Opcode::binary, std::string(126, 'x'), mask).substr(0, 4) ==
        std::string{"\x82\xfe\x00\x7e", 4});
  CHECK(frame(Opcode::binary, std::string(65536, 'x'), mask).size() == 65536 + 14);
}

TEST_CASE("frames: the accept value is RFC 6455's example") {
  CHECK(accept_value("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

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
