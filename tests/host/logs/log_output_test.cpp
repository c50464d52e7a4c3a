#include "arizuko/host/logs/log_output.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "root.hpp"

using namespace arizuko::host;
using arizuko::plan::LogFormat;

namespace {

struct Pair {
  int read = -1;
  int write = -1;
  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    close_read();
    if (write >= 0) ::close(write);
  }
  void close_read() {
    if (read >= 0) ::close(std::exchange(read, -1));
  }
};

struct Pipe : Pair {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read = ends[0];
    write = ends[1];
  }
};

struct Socket : Pair {
  Socket() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    read = ends[0];
    write = ends[1];
  }
};

struct Terminal : Pair {
  Terminal() { REQUIRE(::openpty(&read, &write, nullptr, nullptr, nullptr) == 0); }
};

/// What can be read without waiting.
std::string take_all(int descriptor) {
  std::string text;
  std::array<char, 65536> part;
  pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (begin < text.size()) lines.push_back("TORN: " + text.substr(begin));
  return lines;
}

LogFormatter plain() { return {LogFormat::console, false, 0}; }
bool is_blocking(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

void say(LogOutput& output, std::string_view text) { output.write({.service = "gated", .text = text}); }

struct Loop {
  Loop() { ::signal(SIGPIPE, SIG_IGN); }  // as the supervisor does
  boost::asio::io_context io{1};
  void turn() {
    io.restart();
    io.poll();
  }
};

/// Fills the output far beyond its buffer, then reads until all is out. The lines are numbered.
std::vector<std::string> stall_and_resume(Loop& loop, LogOutput& output, int reader, int lines) {
  const std::string filling(1000, 'x');
  for (int i = 0; i < lines; ++i) {
    say(output, fmt::format("{:06} {}", i, filling));
    if (i % 100 == 0) loop.turn();
  }
  CHECK(output.dropped_lines() > 0);
  std::string text;
  for (int idle = 0; idle < 3;) {
    const std::string part = take_all(reader);
    text += part;
    idle = part.empty() ? idle + 1 : 0;
    loop.turn();
  }
  return lines_of(text);
}

void check_stalled_text(const std::vector<std::string>& lines, std::uint64_t dropped, int count) {
  const std::string report =
      fmt::format("arizuko-init | WARN {} log lines ({:.1f} MB) were dropped: stdout did not take them",
                  dropped, static_cast<double>(dropped) * 1007 / 1e6);
  REQUIRE(lines.size() == static_cast<std::size_t>(count) - dropped + 1);
  CHECK(lines.back().ends_with(report));
  bool whole = true;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    whole = whole && lines[i].substr(13) == fmt::format("gated | {:06} {}", i, std::string(1000, 'x'));
  }
  CHECK(whole);
}

}  // namespace

TEST_CASE("log output: lines of one turn of the loop leave together, at its end") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  say(output, "one");
  say(output, "two");
  CHECK(take_all(pipe.read).empty());
  loop.turn();
  const std::string text = take_all(pipe.read);
  const auto lines = lines_of(text);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with(" gated | one"));
  CHECK(lines[1].ends_with(" gated | two"));
  CHECK(output.written_bytes() == text.size());
  CHECK(output.dropped_lines() == 0);
}

TEST_CASE("log output: an idle output gives the loop nothing to do") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  CHECK(loop.io.poll() == 0);
  say(output, "one");
  loop.turn();
  loop.io.restart();
  CHECK(loop.io.poll() == 0);
}

TEST_CASE("log output: 64 KiB are written at once, without a turn of the loop") {
  Loop loop;
  Pipe pipe;
  REQUIRE(::fcntl(pipe.write, F_SETPIPE_SZ, 256 * 1024) > 0);
  LogOutput output(loop.io, pipe.write, plain());
  for (int i = 0; i < 70; ++i) say(output, std::string(1000, 'x'));
  CHECK(take_all(pipe.read).size() >= 64 * 1024);
}

TEST_CASE("log output: a stalled pipe does not stop us; drops are counted and reported when it flows") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  const auto lines = stall_and_resume(loop, output, pipe.read, 3000);
  check_stalled_text(lines, output.dropped_lines(), 3000);
  say(output, "after");
  loop.turn();
  CHECK(take_all(pipe.read).ends_with("gated | after\n"));
  CHECK(is_blocking(pipe.write));
}

TEST_CASE("log output: a stalled socket does not stop us") {
  Loop loop;
  Socket socket;
  LogOutput output(loop.io, socket.write, plain());
  const auto lines = stall_and_resume(loop, output, socket.read, 3000);
  check_stalled_text(lines, output.dropped_lines(), 3000);
  CHECK(is_blocking(socket.write));
}

TEST_CASE("log output: a stalled pipe that cannot be opened again does not stop us either") {
  arizuko::testing::needs_root();
  Pipe pipe;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // the failure would be to hang
    if (::setgid(1000) != 0 || ::setuid(1000) != 0) ::_exit(1);
    if (::open(fmt::format("/proc/self/fd/{}", pipe.write).c_str(), O_WRONLY | O_NONBLOCK) >= 0) ::_exit(3);
    Loop loop;
    LogOutput output(loop.io, pipe.write, plain());
    const auto lines = stall_and_resume(loop, output, pipe.read, 3000);
    const auto dropped = output.dropped_lines();
    bool right = dropped > 0 && lines.size() == 3000 - dropped + 1 && is_blocking(pipe.write);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
      right = right && lines[i].substr(13) == fmt::format("gated | {:06} {}", i, std::string(1000, 'x'));
    }
    ::_exit(right ? 0 : 2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("log output: a stalled terminal does not stop us, and stays blocking for the shell") {
  Loop loop;
  Terminal terminal;
  LogOutput output(loop.io, terminal.write, plain());
  for (int i = 0; i < 3000; ++i) {
    say(output, std::string(1000, 'x'));
    if (i % 100 == 0) loop.turn();
  }
  CHECK(output.dropped_lines() > 0);
  CHECK(output.written_bytes() > 0);
  const auto stalled_at = output.written_bytes();
  CHECK(!take_all(terminal.read).empty());
  for (int i = 0; i < 10; ++i) {
    loop.turn();
    take_all(terminal.read);
  }
  CHECK(output.written_bytes() > stalled_at);
  CHECK(is_blocking(terminal.write));
}

TEST_CASE("log output: a report stands once in each gap, not once a line") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  const std::string filling(1000, 'x');
  std::string text;
  for (int i = 0; i < 6000; ++i) {
    say(output, fmt::format("{:06} {}", i, filling));
    if (i % 3 == 0) {
      std::array<char, 1500> part;
      loop.turn();
      const ssize_t got = ::read(pipe.read, part.data(), part.size());
      if (got > 0) text.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  for (int idle = 0; idle < 3;) {
    const std::string part = take_all(pipe.read);
    text += part;
    idle = part.empty() ? idle + 1 : 0;
    loop.turn();
  }
  std::uint64_t reported = 0;
  std::uint64_t passed = 0;
  int reports = 0;
  for (const std::string& line : lines_of(text)) {
    if (line.find("WARN ") == std::string::npos) {
      ++passed;
      continue;
    }
    ++reports;
    reported += std::strtoull(line.c_str() + line.find("WARN ") + 5, nullptr, 10);
  }
  CHECK(reported == output.dropped_lines());
  CHECK(passed + reported == 6000);
  CHECK(reports > 1);
  CHECK(reports < 20);
}

TEST_CASE("log output: nobody reads any more: we live on and count") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  say(output, "lost");
  pipe.close_read();
  loop.turn();
  CHECK(output.dropped_lines() == 1);
  say(output, "lost too");
  loop.turn();
  CHECK(output.dropped_lines() == 2);
  output.drain(std::chrono::seconds(10));
}

TEST_CASE("log output: the reader goes while we wait for it") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  for (int i = 0; i < 100; ++i) say(output, std::string(1000, 'x'));
  loop.turn();
  CHECK(output.dropped_lines() == 0);
  pipe.close_read();
  loop.turn();
  loop.turn();
  CHECK(output.dropped_lines() > 0);
}

TEST_CASE("log output: a pipe that had no reader from the start, and a descriptor that is none") {
  Loop loop;
  Pipe pipe;
  pipe.close_read();
  LogOutput output(loop.io, pipe.write, plain());
  say(output, "lost");
  loop.turn();
  CHECK(output.dropped_lines() == 1);

  LogOutput nothing(loop.io, 12345, plain());
  say(nothing, "lost");
  loop.turn();
  CHECK(nothing.dropped_lines() == 1);
}

TEST_CASE("log output: a regular file is written in order, appended where it was opened so") {
  Loop loop;
  char path[] = "/tmp/arizuko-log-output-XXXXXX";
  const int file = ::mkstemp(path);
  REQUIRE(file >= 0);
  {
    LogOutput output(loop.io, file, plain());
    for (int i = 0; i < 500; ++i) say(output, std::string(1000, 'x'));
    loop.turn();
    CHECK(output.dropped_lines() == 0);
    struct stat status{};
    REQUIRE(::fstat(file, &status) == 0);
    CHECK(static_cast<std::uint64_t>(status.st_size) == output.written_bytes());
    CHECK(status.st_size == 500 * (13 + 8 + 1000 + 1));
  }
  ::close(file);
  ::unlink(path);
}

TEST_CASE("log output: a full disk is tried again with each line, and is not the end") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  arizuko::testing::needs(full >= 0, "/dev/full");
  Loop loop;
  LogOutput output(loop.io, full, plain());
  for (int i = 0; i < 3000; ++i) {
    say(output, std::string(1000, 'x'));
    loop.turn();
  }
  const auto dropped = output.dropped_lines();
  CHECK(dropped > 1000);
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  REQUIRE(::dup2(null, full) == full);
  say(output, "dropped still");
  loop.turn();
  say(output, "and this goes");
  loop.turn();
  CHECK(output.dropped_lines() == dropped + 1);
  CHECK(output.written_bytes() > 1'000'000);
  ::close(null);
  ::close(full);
}

TEST_CASE("log output: the end waits for a reader, but not longer than its patience") {
  Loop loop;
  Pipe pipe;
  LogOutput output(loop.io, pipe.write, plain());
  say(output, "last words");
  output.drain(std::chrono::seconds(10));
  CHECK(take_all(pipe.read).ends_with("last words\n"));

  for (int i = 0; i < 500; ++i) say(output, std::string(1000, 'x'));
  const auto begin = std::chrono::steady_clock::now();
  output.drain(std::chrono::milliseconds(30));
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(30));
  CHECK(took < std::chrono::seconds(5));
}

TEST_CASE("log output: may be destroyed while the loop still holds its work") {
  Loop loop;
  Pipe pipe;
  {
    LogOutput output(loop.io, pipe.write, plain());
    for (int i = 0; i < 300; ++i) say(output, std::string(1000, 'x'));
    loop.turn();
    say(output, "one more");
  }
  loop.turn();
  CHECK(::fcntl(pipe.write, F_GETFD) >= 0);
}
