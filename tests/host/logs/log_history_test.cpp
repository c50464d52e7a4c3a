#include "arizuko/host/logs/log_history.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace arizuko::host;

namespace {

std::string show(const std::vector<KeptLine>& lines) {
  std::string shown;
  for (const KeptLine& line : lines) {
    shown += fmt::format("{}{} {}{}:{}", shown.empty() ? "" : " ", line.seq, line.service,
                         line.stream == Stream::out ? ">" : "", line.text);
  }
  return shown;
}

}  // namespace

TEST_CASE("log history: the last lines of some or all services, oldest first") {
  LogHistory history;
  history.add("gated", Stream::err, "a", 10);
  history.add("timed", Stream::out, "b", 20);
  history.add("gated", Stream::err, "", 30);
  history.add("gated", Stream::err, "d", 40);
  CHECK(show(history.tail({}, 100)) == "1 gated:a 2 timed>:b 3 gated: 4 gated:d");
  CHECK(show(history.tail({}, 2)) == "3 gated: 4 gated:d");
  CHECK(show(history.tail({"gated"}, 2)) == "3 gated: 4 gated:d");
  CHECK(show(history.tail({"timed"}, 2)) == "2 timed>:b");
  CHECK(show(history.tail({"timed", "gated"}, 3)) == "2 timed>:b 3 gated: 4 gated:d");
  CHECK(show(history.tail({"nobody"}, 2)).empty());
  CHECK(show(history.tail({}, 0)).empty());
  CHECK(history.tail({}, 1)[0].unix_nanoseconds == 40);
}

TEST_CASE("log history: the last lines can be read in pieces, from a number on") {
  LogHistory history;
  for (int i = 0; i < 3; ++i) {
    history.add("gated", Stream::err, "g", 10);
    history.add("timed", Stream::out, "t", 20);
  }
  const LogHistory::Begin begin = history.begin_of_tail({"gated"}, 2);
  CHECK(begin.lines == 2);
  CHECK(show(history.since({"gated"}, begin.after, 1)) == "3 gated:g");
  CHECK(show(history.since({"gated"}, 3, 1)) == "5 gated:g");
  CHECK(show(history.since({}, 3, 2)) == "4 timed>:t 5 gated:g");
  CHECK(history.begin_of_tail({}, 0).after == history.last_seq());
  CHECK(history.begin_of_tail({"nobody"}, 9).lines == 0);
}

TEST_CASE("log history: following continues behind the last line seen") {
  LogHistory history;
  CHECK(history.last_seq() == 0);
  CHECK(history.since({}, 0).empty());
  history.add("a", Stream::err, "1", 0);
  history.add("b", Stream::err, "2", 0);
  history.add("a", Stream::err, "3", 0);
  CHECK(history.last_seq() == 3);
  CHECK(show(history.since({}, 0)) == "1 a:1 2 b:2 3 a:3");
  CHECK(show(history.since({}, 1)) == "2 b:2 3 a:3");
  CHECK(show(history.since({"a"}, 1)) == "3 a:3");
  CHECK(history.since({}, 3).empty());
}

TEST_CASE("log history: a service's number does the same as its name") {
  LogHistory history;
  const auto gated = history.handle("gated");
  const auto timed = history.handle("timed");
  CHECK(gated != timed);
  CHECK(history.handle("gated") == gated);
  CHECK(history.tail({}, 10).empty());
  history.add(timed, Stream::err, "x", 0);
  history.add("timed", Stream::err, "y", 0);
  history.add(gated, Stream::err, "z", 0);
  CHECK(show(history.tail({}, 10)) == "1 timed:x 2 timed:y 3 gated:z");
}

TEST_CASE("log history: at most 64 KiB a service, the oldest go first, and no line is torn") {
  LogHistory history;
  history.add("quiet", Stream::err, "still here", 0);
  const auto text_of = [](std::uint64_t seq) {
    return fmt::format("{}:{}", seq, std::string(seq % 997, 'x'));
  };
  for (std::uint64_t seq = 2; seq < 20'000; ++seq) history.add("loud", Stream::err, text_of(seq), 0);
  const auto lines = history.tail({"loud"}, 100'000);
  std::size_t bytes = 0;
  std::uint64_t expected = 20'000 - lines.size();
  bool whole = true;
  for (const KeptLine& line : lines) {
    whole = whole && line.seq == expected && line.text == text_of(expected);
    bytes += line.text.size();
    ++expected;
  }
  CHECK(whole);
  CHECK(bytes <= LogHistory::max_bytes);
  CHECK(bytes > LogHistory::max_bytes * 9 / 10);
  CHECK(show(history.tail({"quiet"}, 10)) == "1 quiet:still here");
}

TEST_CASE("log history: a kept line is at most 4 KiB, not cut inside a character") {
  LogHistory history;
  history.add("a", Stream::err, std::string(64 * 1024, 'x'), 0);
  history.add("a", Stream::err, std::string(4095, 'x') + "\xC3\xA4 and more", 0);
  history.add("a", Stream::err, std::string(8000, '\x80'), 0);
  const auto lines = history.tail({}, 10);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text.size() == 4096);
  CHECK(lines[1].text == std::string(4095, 'x'));
  CHECK(lines[2].text.size() <= 4096);
}
