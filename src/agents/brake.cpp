#include "brake.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <ctime>
#include <thread>

namespace arizuko::agents {
namespace {

constexpr Milliseconds look_every{1'000};  // somebody else's success lets all others go
// gated and runed start MAX_CONCURRENT_CONTAINERS at most; more than that are those whose slots it gave away
// because it could not signal them.
constexpr std::size_t usual_most = 5;
constexpr std::size_t slack_factor = 2;
constexpr Milliseconds crowd_patience{300'000};
constexpr Milliseconds end_patience{5'000};

std::size_t most_at_once(const Environment& environment) {
  const auto text = environment("MAX_CONCURRENT_CONTAINERS").value_or("");
  std::size_t most = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), most);
  const bool sound = error == std::errc{} && end == text.data() + text.size() && most > 0 && most <= 100;
  return (sound ? most : usual_most) * slack_factor;
}

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  return set;
}

/// Blocked while it lives, so that sigtimedwait gets them; one that came is acted on by whoever waits.
class BlockedSignals {
 public:
  BlockedSignals() {
    const auto set = ending_signals();
    ::sigprocmask(SIG_BLOCK, &set, &before_);
  }
  ~BlockedSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;

  /// The number of a signal that came within `time`, or 0.
  static int wait(Milliseconds time) {
    const auto set = ending_signals();
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
    const int number = ::sigtimedwait(&set, nullptr, &limit);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t before_{};
};

/// Any daemon may write into the ledger: whoever is told to end must be a run of this very program.
bool is_this_program(int pid) {
  struct stat own{}, other{};
  return ::stat("/proc/self/exe", &own) == 0 &&
         ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &other) == 0 && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

LiveRun* find(Ledger& ledger, const LiveRun& self) {
  const auto found = std::ranges::find_if(
      ledger.runs, [&](const LiveRun& each) { return each.pid == self.pid && each.born == self.born; });
  return found == ledger.runs.end() ? nullptr : &*found;
}

}  // namespace

std::string group_of(const Run& run) {
  constexpr std::string_view home = "/home/node", below = "/groups/";
  for (const Bind& bind : run.binds) {
    const auto at = bind.host.rfind(below);
    if (bind.container == home && at != std::string::npos && at + below.size() < bind.host.size())
      return one_line(bind.host.substr(at + below.size()));
  }
  const auto time = run.name.find_last_not_of("0123456789");
  return one_line(time == std::string::npos ? run.name : run.name.substr(0, time));
}

Brake::Brake(const Environment& environment, std::string_view backend, const Run& run)
    : file_(LedgerFile::of(environment)),
      backend_(backend),
      self_(this_process(run.name, group_of(run))),
      most_(most_at_once(environment)) {}

/// `start`: 0 until a time is reserved.
Brake::Turn Brake::ask(UnixMs& start) {
  auto turn = Turn::ours;
  const auto now = unix_now();
  // Nothing to write while the own time has not come.
  if (start > now && failing(file_.read(), self_.group) != nullptr) return Turn::not_yet;
  const bool kept = file_.change([&](Ledger& ledger) {
    note_backend(ledger, backend_, now);
    auto* self = find(ledger, self_);
    if (start == 0 || failing(ledger, self_.group) == nullptr) start = reserve(ledger, self_.group, now);
    if (self == nullptr && ledger.runs.size() < most_runs) self = &ledger.runs.emplace_back(self_);
    const auto running =
        static_cast<std::size_t>(std::ranges::count(ledger.runs, LiveRun::Stage::running, &LiveRun::stage));
    turn = start > now ? Turn::not_yet : running >= most_ ? Turn::crowded : Turn::ours;
    if (turn == Turn::ours && self != nullptr) self->stage = LiveRun::Stage::running;
  });
  return kept ? turn : Turn::ours;
}

Result<void> Brake::wait() {
  if (!file_.here()) return {};
  const BlockedSignals signals;
  const auto caller = ::getppid();
  const auto begun = std::chrono::steady_clock::now();
  UnixMs start = 0;
  for (;;) {
    const auto turn = ask(start);
    if (turn == Turn::ours) return {};
    if (turn == Turn::crowded && std::chrono::steady_clock::now() - begun > crowd_patience) {
      const auto text = fmt::format("{} agents run already, and none ended within {} s", most_,
                                    crowd_patience.count() / 1000);
      leave([](Ledger&) {});
      return fail(text, exit_run_failed);
    }
    const auto left = Milliseconds{std::max<UnixMs>(1, start - unix_now())};
    const auto signal = BlockedSignals::wait(turn == Turn::crowded ? look_every : std::min(left, look_every));
    if (signal != 0 || ::getppid() != caller) {
      leave([](Ledger&) {});
      if (signal == 0) return fail("the caller went away before the agent was started", exit_run_failed);
      return fail("told to end before the agent was started", 128 + signal);
    }
  }
}

void Brake::leave(const std::function<void(Ledger&)>& note) {
  if (!file_.here()) return;
  const bool kept = file_.change([&](Ledger& ledger) {
    std::erase_if(ledger.runs,
                  [&](const LiveRun& each) { return each.pid == self_.pid && each.born == self_.born; });
    note(ledger);
  });
  if (kept) return;
  // Nobody after us will know: so this one takes as long as the longest pause itself. Only failures come here
  // slowly; a success that could not be noted is looked at by the next failure.
  Ledger unkept;
  note(unkept);
  if (unkept.groups.empty()) return;
  const BlockedSignals signals;
  (void)BlockedSignals::wait(longest_turn_pause);
}

void Brake::went_well() {
  leave([&](Ledger& ledger) { note_success(ledger, self_.group); });
}

void Brake::failed(std::string_view reason) {
  leave([&](Ledger& ledger) { note_failure(ledger, self_.group, reason, unix_now()); });
}

Settled settle_waiting(const Environment& environment, std::vector<std::string> names, Waiting waiting) {
  Settled settled;
  const auto file = LedgerFile::of(environment);
  const auto ledger = file.read();
  for (std::string& name : names) {
    const auto run = std::ranges::find_if(ledger.runs, [&](const LiveRun& each) {
      return each.name == name && each.stage == LiveRun::Stage::waiting && is_this_program(each.pid);
    });
    if (run == ledger.runs.end()) {
      settled.left.push_back(std::move(name));
      continue;
    }
    if (waiting == Waiting::is_ended) {
      ::kill(run->pid, SIGTERM);
      const auto deadline = std::chrono::steady_clock::now() + end_patience;
      while (lives(*run) && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(Milliseconds{10});
    }
    settled.done.push_back(std::move(name));
  }
  return settled;
}

void note_backend(const Environment& environment, std::string_view backend) {
  (void)LedgerFile::of(environment).change([&](Ledger& ledger) {
    note_backend(ledger, backend, unix_now());
  });
}

bool is_steering(std::string_view signal) {
  return signal == "USR1" || signal == "SIGUSR1" || signal == "10";  // signal(7): 10 on x86 and ARM
}

}  // namespace arizuko::agents
