#include "host/logs/line_splitter.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using arizuko::host::Line;
using arizuko::host::LineSplitter;

namespace {

constexpr std::size_t bound = LineSplitter::max_line_bytes;

/// "[a][b cut]" of what comes out when `text` goes in by pieces of `step` bytes.
std::string split(std::string_view text, std::size_t step, std::uint64_t* skipped = nullptr) {
  LineSplitter splitter;
  std::string shown;
  const auto take = [&](const Line& line) {
    shown +=
        fmt::format("[{}{}{}]", line.text, line.cut ? " cut" : "", line.begun && !line.cut ? " begun" : "");
  };
  for (std::size_t at = 0; at < text.size(); at += step) splitter.feed(text.substr(at, step), take);
  splitter.finish(take);
  if (skipped != nullptr) *skipped = splitter.skipped_bytes();
  return shown;
}

}  // namespace

TEST_CASE("line splitter: lines are the same however the bytes arrive") {
  struct Row {
    std::string_view text;
    std::string_view lines;
  };
  const Row rows[] = {
      {"", ""},
      {"a", "[a begun]"},
      {"a\n", "[a]"},
      {"a\nb", "[a][b begun]"},
      {"\n", "[]"},
      {"\n\n", "[][]"},
      {"a\r\nb\r\n", "[a][b]"},
      {"a\rb\n", "[a\rb]"},
      {"a\r\r\n", "[a\r]"},
      {"\r\n", "[]"},
      {"a\r", "[a begun]"},
      {"one\ntwo\nthree", "[one][two][three begun]"},
  };
  for (const Row& row : rows) {
    for (std::size_t step = 1; step < 8; ++step) {
      CAPTURE(row.text);
      CAPTURE(step);
      CHECK(split(row.text, step) == row.lines);
    }
  }
}

TEST_CASE("line splitter: a line inside one read is not copied") {
  LineSplitter splitter;
  const std::string text = "first\nsecond\nthird";
  splitter.feed(text, [&](const Line& line) {
    CHECK(line.text.data() >= text.data());
    CHECK(line.text.data() < text.data() + text.size());
  });
}

TEST_CASE("line splitter: a line over 64 KiB is delivered once, cut and marked, and the rest counted (T28)") {
  const std::string full(bound, 'x');
  struct Row {
    std::string text;
    std::string lines;
    std::uint64_t skipped;
  };
  const Row rows[] = {
      {full + "\n", "[" + full + "]", 0},
      {full + "\r\n", "[" + full + "]", 0},
      {full, "[" + full + " begun]", 0},
      {full + "\r", "[" + full + " begun]", 0},
      {full + "y\n", "[" + full + " cut]", 1},
      {full + "y\r\n", "[" + full + " cut]", 2},
      {full + "\r\r\n", "[" + full + " cut]", 2},
      {full + "\ry\n", "[" + full + " cut]", 2},
      {full + "y", "[" + full + " cut]", 1},
      {full + full + full + "\nnext\n", "[" + full + " cut][next]", 2 * bound},
      {"a\n" + full + std::string(1'000'000, 'z') + "\nb", "[a][" + full + " cut][b begun]", 1'000'000},
  };
  for (const Row& row : rows) {
    for (const std::size_t step : {std::size_t{1000}, std::size_t{4096}, bound - 1, bound, bound + 1,
                                   bound + 2, std::size_t{3'000'000}}) {
      std::uint64_t skipped = 0;
      const bool same = split(row.text, step, &skipped) == row.lines;
      CAPTURE(row.text.size());
      CAPTURE(step);
      CHECK(same);
      CHECK(skipped == row.skipped);
    }
  }
}

TEST_CASE("line splitter: 10 MiB without a newline come out as one line as soon as it is too long") {
  LineSplitter splitter;
  int lines = 0;
  const std::string piece(100'000, 'x');
  for (int i = 0; i < 105; ++i) {
    splitter.feed(piece, [&](const Line& line) {
      ++lines;
      CHECK(line.cut);
      CHECK(line.text.size() == bound);
    });
  }
  CHECK(lines == 1);
  splitter.finish([&](const Line&) { ++lines; });
  CHECK(lines == 1);
  CHECK(splitter.skipped_bytes() == 105 * 100'000 - bound);
}

TEST_CASE("line splitter: can be fed again after the end of a stream") {
  LineSplitter splitter;
  std::string shown;
  const auto take = [&](const Line& line) { shown += fmt::format("[{}]", line.text); };
  splitter.feed("half", take);
  splitter.finish(take);
  splitter.finish(take);
  splitter.feed("new\n", take);
  CHECK(shown == "[half][new]");
}

TEST_CASE("line splitter: no more lines than asked for, and what is left goes in again") {
  LineSplitter splitter;
  std::vector<std::string> lines;
  const auto take = [&](const Line& line) { lines.emplace_back(line.text); };
  std::string_view left = splitter.feed("a\n\nb\nc\nd", 2, take);
  CHECK(lines == std::vector<std::string>{"a", ""});
  CHECK(left == "b\nc\nd");
  left = splitter.feed(left, 2, take);
  CHECK(lines.size() == 4);
  CHECK(left == "d");
  CHECK(splitter.feed(left, 2, take).empty());
  splitter.finish(take);
  CHECK(lines.back() == "d");
}
