#include "host/logs/own_log.hpp"

#include <chrono>
#include <new>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace arizuko::host;

namespace {

struct Line {
  Level level;
  std::string text;
  std::int64_t unix_nanoseconds;
};

struct Taken {
  std::vector<Line> lines;
  OwnLog log{[this](const OwnLine& line) {
    lines.push_back({line.level, std::string(line.text), line.unix_nanoseconds});
  }};
};

std::int64_t unix_now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

TEST_CASE("own log: a line arrives as it is, with its level and the time it was said") {
  Taken taken;
  const std::int64_t before = unix_now();
  taken.log.write(Level::warn, "gated: {0} {not} a format {} %s \x01");
  taken.log.write(Level::error, "");
  REQUIRE(taken.lines.size() == 2);
  CHECK(taken.lines[0].level == Level::warn);
  CHECK(taken.lines[0].text == "gated: {0} {not} a format {} %s \x01");
  CHECK((taken.lines[0].unix_nanoseconds >= before && taken.lines[0].unix_nanoseconds <= unix_now()));
  CHECK(taken.lines[1].level == Level::error);
}

TEST_CASE("own log: the level is changed while it runs") {
  Taken taken;
  taken.log.write(Level::debug, "one");
  taken.log.set_level(Level::warn);
  taken.log.write(Level::info, "two");
  taken.log.write(Level::warn, "three");
  taken.log.set_level(Level::debug);
  taken.log.write(Level::debug, "four");
  std::string said;
  for (const Line& line : taken.lines) said += line.text + " ";
  CHECK(said == "one three four ");
}

TEST_CASE("own log: a line that cannot be taken is counted, neither thrown nor written to stderr") {
  struct Anything {};
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const int before = ::fcntl(2, F_DUPFD_CLOEXEC, 3);
  ::dup2(ends[1], 2);
  OwnLog log([](const OwnLine& line) {
    if (line.text == "memory") throw std::bad_alloc();
    throw Anything();
  });
  log.write(Level::info, "memory");
  log.write(Level::info, "anything");
  ::dup2(before, 2);
  char buffer[16];
  CHECK(::read(ends[0], buffer, sizeof buffer) < 0);
  for (const int each : {before, ends[0], ends[1]}) ::close(each);
  CHECK(log.lost() == 2);
}

TEST_CASE("own log: it feeds history and output, and a reader that stalls costs lines, never time") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  boost::asio::io_context io{1};
  LogHistory history;
  LogOutput output(io, ends[1], LogFormatter(arizuko::plan::LogFormat::console, false, 12));
  OwnLog log(history, output);
  log.write(Level::warn, "first");
  io.poll();
  char buffer[256];
  const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
  const std::string line(buffer, got < 0 ? 0 : static_cast<std::size_t>(got));
  CHECK(line.contains("arizuko-init | WARN first\n"));
  const auto kept = history.tail({"arizuko-init"}, 10);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].text == "first");

  const std::string kilobyte(1000, 'x');  // would block here for good, if it could
  for (int i = 0; i < 3000; ++i) log.write(Level::info, kilobyte);
  CHECK(output.dropped_lines() > 1000);
  CHECK(log.lost() == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
