#include "faults.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace rehearsal {
namespace {

enum class Shape { Bare, Number, NumberAndBytes, KeyAndValue };

struct Word {
  FaultKind kind;
  FaultTime time;
  std::string_view word;
  Shape shape;
  std::int64_t limit;  // the largest number
};

constexpr std::array words{
    Word{FaultKind::Crash, FaultTime::Once, "crash", Shape::Bare, 0},
    Word{FaultKind::Exit, FaultTime::Once, "exit", Shape::Number, 255},
    Word{FaultKind::Flood, FaultTime::Once, "flood", Shape::NumberAndBytes, 10'000'000},
    Word{FaultKind::Grow, FaultTime::Once, "grow", Shape::Number, 65'536},
    Word{FaultKind::Flee, FaultTime::Once, "flee", Shape::Bare, 0},
    Word{FaultKind::FleeCleanEnv, FaultTime::Once, "flee-clean-env", Shape::Bare, 0},
    Word{FaultKind::Orphans, FaultTime::Once, "orphans", Shape::Number, 100'000},
    Word{FaultKind::HangHealth, FaultTime::While, "hang-health", Shape::Bare, 0},
    Word{FaultKind::Health503, FaultTime::While, "health-503", Shape::Bare, 0},
    Word{FaultKind::IgnoreTerm, FaultTime::While, "ignore-term", Shape::Bare, 0},
    Word{FaultKind::SlowStop, FaultTime::While, "slow-stop", Shape::Number, 3'600'000},
    Word{FaultKind::AuthLost, FaultTime::While, "auth-lost", Shape::Bare, 0},
    Word{FaultKind::Refuse, FaultTime::Boot, "refuse", Shape::KeyAndValue, 0},
    Word{FaultKind::CrashAtBoot, FaultTime::Boot, "crash-at-boot", Shape::Bare, 0},
    Word{FaultKind::ExitAtBoot, FaultTime::Boot, "exit-at-boot", Shape::Number, 255},
    Word{FaultKind::HangAtBoot, FaultTime::Boot, "hang-at-boot", Shape::Bare, 0},
    Word{FaultKind::NoListen, FaultTime::Boot, "no-listen", Shape::Bare, 0},
    Word{FaultKind::SlowBoot, FaultTime::Boot, "slow-boot", Shape::Number, 3'600'000},
    Word{FaultKind::LoginHang, FaultTime::Boot, "login-hang", Shape::Bare, 0},
};
constexpr std::int64_t largest_line_bytes = 16 << 20;

const Word& word_of(FaultKind kind) {
  for (const auto& word : words)
    if (word.kind == kind) return word;
  return words.front();
}

// Cuts the next blank-separated word off `text`.
std::string_view next_word(std::string_view& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return text = {};
  text.remove_prefix(first);
  const auto word = text.substr(0, text.find_first_of(" \t\r"));
  text.remove_prefix(word.size());
  return word;
}

std::optional<std::int64_t> number_up_to(std::string_view text, std::int64_t limit) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && value >= 0 && value <= limit ? std::optional(value) : std::nullopt;
}

std::optional<Fault> parse_fault(std::string_view line) {
  Fault fault;
  auto name = next_word(line);
  if (name == "after") {
    const auto wait = number_up_to(next_word(line), 3'600'000);
    if (!wait) return std::nullopt;
    fault.after = std::chrono::milliseconds(*wait);
    name = next_word(line);
  }
  const Word* found = nullptr;
  for (const auto& word : words)
    if (word.word == name) found = &word;
  if (found == nullptr || (fault.after.count() != 0 && found->time != FaultTime::Once)) return std::nullopt;
  fault.kind = found->kind;
  if (found->shape == Shape::Number || found->shape == Shape::NumberAndBytes) {
    const auto number = number_up_to(next_word(line), found->limit);
    if (!number) return std::nullopt;
    fault.number = *number;
  }
  if (found->shape == Shape::NumberAndBytes) {
    const auto text = next_word(line);
    const auto bytes =
        text.empty() ? std::optional<std::int64_t>(200) : number_up_to(text, largest_line_bytes);
    if (!bytes) return std::nullopt;
    fault.bytes = *bytes;
  }
  if (found->shape == Shape::KeyAndValue) {
    fault.key = next_word(line);
    fault.value = next_word(line);
    if (fault.value.empty()) return std::nullopt;
  }
  return next_word(line).empty() ? std::optional(fault) : std::nullopt;
}

[[noreturn]] void crash() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGABRT, SIG_DFL);
  std::abort();
}

// The memory stays: that is the fault. One write a page makes it resident.
void grow(std::int64_t mebibytes, const Log& log) {
  const auto bytes = static_cast<std::size_t>(mebibytes) << 20;
  if (bytes == 0) return;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    log.warn("rehearsal cannot grow", {{"err", std::strerror(errno)}});
    return;
  }
  for (std::size_t at = 0; at < bytes; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
}

// Between fork and _exit or exec only what is safe after a fork.
[[noreturn]] void become_runaway(char* const* environment) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  ::close_range(0, ~0U, 0);  // the listening sockets too: a runaway must not hold the port
  char name[] = "arizuko-rehearsal";
  char role[] = "runaway";
  char* const arguments[] = {name, role, nullptr};
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

void flee(char* const* environment, const Log& log) {
  const auto child = ::fork();
  if (child == 0) become_runaway(environment);
  if (child < 0) return log.warn("rehearsal cannot flee", {{"err", std::strerror(errno)}});
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

[[noreturn]] void leave_orphans(std::int64_t count) {
  for (std::int64_t number = 0; number < count; ++number) {
    const auto child = ::fork();
    if (child == 0) {
      ::usleep(20'000);  // the parent is gone by then, or soon: PID 1 reaps it in both cases
      ::_exit(0);
    }
  }
  ::_exit(0);
}

void orphans(std::int64_t count, const Log& log) {
  const auto child = ::fork();
  if (child == 0) {
    ::close_range(3, ~0U, 0);
    leave_orphans(count);
  }
  if (child < 0) return log.warn("rehearsal cannot leave orphans", {{"err", std::strerror(errno)}});
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

boost::asio::awaitable<void> flood(std::int64_t lines, std::int64_t bytes, const Log& log) {
  const std::string filling(static_cast<std::size_t>(bytes), 'x');
  for (std::int64_t line = 0; line < lines; ++line) {
    log.info("flood", {{"line", line}, {"filling", filling}});
    // Let signals and /health in between, as a Go daemon's other goroutines would.
    if (line % 256 == 255) co_await boost::asio::post(boost::asio::use_awaitable);
  }
}

}  // namespace

FaultTime fault_time(FaultKind kind) { return word_of(kind).time; }
std::string_view fault_word(FaultKind kind) { return word_of(kind).word; }

ParsedFaults parse_faults(std::string_view text, char separator) {
  ParsedFaults parsed;
  while (!text.empty()) {
    const auto end = text.find_first_of(separator == '\n' ? std::string_view("\n") : std::string_view(",\n"));
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (auto fault = parse_fault(line))
      parsed.faults.push_back(std::move(*fault));
    else
      parsed.errors.push_back(
          fmt::format("no such fault: \"{}\" (arizuko-rehearsal --help lists them)", line.substr(0, 80)));
  }
  return parsed;
}

boost::asio::awaitable<void> act_once(Fault fault, const Log& log) {
  log.warn("rehearsal fault", {{"fault", fault_word(fault.kind)}});
  switch (fault.kind) {
    case FaultKind::Crash: crash();
    case FaultKind::Exit: std::_Exit(static_cast<int>(fault.number));
    case FaultKind::Grow: grow(fault.number, log); break;
    case FaultKind::Orphans: orphans(fault.number, log); break;
    case FaultKind::Flee: flee(environ, log); break;
    case FaultKind::FleeCleanEnv: {
      char* const nothing[] = {nullptr};
      flee(nothing, log);
      break;
    }
    case FaultKind::Flood: co_await flood(fault.number, fault.bytes, log); break;
    case FaultKind::CrashAtBoot: crash();
    case FaultKind::ExitAtBoot: std::_Exit(static_cast<int>(fault.number));
    case FaultKind::HangHealth:
    case FaultKind::Health503:
    case FaultKind::IgnoreTerm:
    case FaultKind::SlowStop:
    case FaultKind::AuthLost:
    case FaultKind::Refuse:
    case FaultKind::HangAtBoot:
    case FaultKind::NoListen:
    case FaultKind::SlowBoot:
    case FaultKind::LoginHang: break;  // not acts: the daemon asks for them
  }
}

int run_runaway() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
  for (unsigned left = 3600; left != 0;) left = ::sleep(left);
  return 0;
}

std::string_view fault_help() {
  return R"(At once, and once:
  crash                 die by SIGABRT
  exit CODE             exit with CODE
  flood LINES [BYTES]   write LINES log lines, each with BYTES of filling (200)
  grow MIB              take MIB mebibytes of memory and keep them
  flee                  leave a process behind that left the session and ignores SIGTERM
  flee-clean-env        the same with an empty environment
  orphans N             leave N short-lived processes for PID 1 to reap
  after MS FAULT        one of the above, MS milliseconds later
As long as it is asked for:
  hang-health           accept connections, never answer /health
  health-503            answer 503 to /health
  ignore-term           ignore SIGTERM and SIGINT
  slow-stop MS          adapters: end MS milliseconds after they were told (teled 5000, discd 1000)
  auth-lost             today's slakd: its login is no longer good, and it ends after five looks at it
At the next start:
  crash-at-boot         die by SIGABRT before anything listens
  exit-at-boot CODE     exit with CODE before anything listens
  hang-at-boot          never get ready (gated: never say `arizuko running`)
  slow-boot MS          get ready MS milliseconds late (adapters: in login)
  no-listen             get ready, but never open the port
  login-hang            adapters: hang in login, SIGTERM not acted on
  refuse KEY VALUE      what a bad token does, when KEY has VALUE: exit 1; emaid stays up and answers
                        503; bskyd and linkd do not notice while their saved session is there
)";
}

}  // namespace rehearsal
