// A turn of log reading is bounded by lines and bytes, whoever floods.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "host/logs/log_pipe.hpp"
#include "host/logs/repeated_lines.hpp"

using namespace arizuko::host;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// Pipes that are full from the start, and what was read of each.
struct Pipes {
  ~Pipes() {
    reader->close();
    for (const auto& pipe : pipes) pipe->close();
    for (const int end : ends) ::close(end);
  }

  std::shared_ptr<LogPipe> add(const std::string& text) {
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    ::fcntl(pipe[1], F_SETFL, O_NONBLOCK);
    REQUIRE(::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ends.push_back(pipe[1]);
    const std::size_t number = pipes.size();
    pipes.push_back(std::make_shared<LogPipe>(
        io, reader, pipe[0], [this, number](const Line&) { ++lines[number]; }, [] {}));
    reader->read_soon(pipes.back());
    return pipes.back();
  }

  asio::io_context io{1};
  std::shared_ptr<LogReader> reader = std::make_shared<LogReader>(io);
  std::vector<std::shared_ptr<LogPipe>> pipes;
  std::vector<int> ends;
  std::map<std::size_t, std::size_t> lines;
};

const std::string bare_newlines(60'000, '\n');

}  // namespace

TEST_CASE("log reader: one that writes bare newlines leaves the loop to the others after 2048 lines") {
  Pipes all;
  all.add(bare_newlines);
  std::size_t when_probed = 0;
  asio::post(all.io, [&] { when_probed = all.lines[0]; });
  all.io.run_one();  // the reader's turn
  all.io.run_one();  // whoever waited meanwhile
  CHECK(when_probed == LogReader::a_turn.lines);
}

TEST_CASE("log reader: a line of a quiet neighbour comes in the first turn, beside three that flood") {
  Pipes all;
  for (int i = 0; i < 3; ++i) all.add(bare_newlines);
  all.add("ready\n");
  all.io.run_one();
  CHECK(all.lines[3] == 1);
  CHECK(all.lines[0] - all.lines[1] <= LogReader::a_pipe.lines);
}

TEST_CASE("log reader: with 40 that flood a turn is the same 2048 lines, and each comes to its turn") {
  Pipes all;
  for (int i = 0; i < 40; ++i) all.add(bare_newlines);
  std::size_t turns = 0;
  std::size_t read = 0;
  all.reader->when_read([&] {
    std::size_t now = 0;
    for (const auto& [number, lines] : all.lines) now += lines;
    CHECK(now - read <= LogReader::a_turn.lines);
    read = now;
    ++turns;
  });
  while (turns < 10) all.io.run_one();
  CHECK(all.lines.size() == 40);
}

TEST_CASE("log reader: all of it is read in the end, and what was there is known by a mark") {
  Pipes all;
  const auto flooding = all.add(bare_newlines + "last words");
  const std::uint64_t mark = flooding->mark(1 << 20);
  CHECK(mark == bare_newlines.size() + 10);
  CHECK(flooding->mark(100) == 100);
  while (flooding->taken() < mark) all.io.run_one();
  CHECK(all.lines[0] == bare_newlines.size());
}

TEST_CASE("own lines: the same one is said five times in ten seconds, then counted") {
  RepeatedLines lines;
  const auto at = [](std::chrono::milliseconds time) { return arizuko::engine::Instant{} + time; };
  for (int i = 0; i < 5; ++i) CHECK(lines.say("cannot look", at(i * 1ms)) == 0);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(lines.say("cannot look", at(5ms)));
  CHECK(lines.say("another", at(5ms)) == 0);
  CHECK(lines.say("cannot look", at(10s)) == 1000);
  CHECK(lines.say("cannot look", at(10s)) == 0);
}

TEST_CASE("own lines: what is kept in mind is bounded") {
  RepeatedLines lines;
  for (std::size_t i = 0; i < 10 * RepeatedLines::most_texts; ++i)
    CHECK(lines.say(std::to_string(i), arizuko::engine::Instant{} + std::chrono::milliseconds(i)) == 0);
}
