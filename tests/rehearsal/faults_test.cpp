// Faults on demand, each by one of the three ways.
#include "running.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>

using namespace running;

namespace {

// A gated that is ready, and the ways to its faults.
struct Ready {
  explicit Ready(Variables more = {}) {
    auto variables = gated_variables(directory, port);
    variables.insert(more.begin(), more.end());
    gated = std::make_unique<Process>(directory, std::vector<std::string>{"gated"}, variables);
    REQUIRE(gated->says("arizuko running"));
  }
  void by_file(std::string_view text) const { write(directory.path("data/rehearsal/faults/gated"), text); }
  Reply by_http(std::string_view text) const { return post(port, "/v1/rehearsal/fault", text); }

  Directory directory;
  int port = free_port();
  std::unique_ptr<Process> gated;
};

long resident_mebibytes(int pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  long size = 0, resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) >> 20;
}

std::string command_line(int pid) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", pid));
  return {std::istreambuf_iterator<char>(file), {}};
}

// The test takes what loses its parent, as PID 1 would.
std::vector<int> adopted_runaways() {
  std::vector<int> found;
  std::ifstream file(fmt::format("/proc/self/task/{}/children", ::getpid()));
  for (int pid = 0; file >> pid;)
    if (command_line(pid).contains("runaway")) found.push_back(pid);
  return found;
}

}  // namespace

TEST_CASE("faults: crash by file kills at once, and the spent file does not kill the next start") {
  Ready ready;
  ready.by_file("crash\n");
  CHECK(ready.gated->wait() == 128 + SIGABRT);
  Process again(ready.directory, {"gated"}, gated_variables(ready.directory, ready.port));
  CHECK(again.says("arizuko running"));
  CHECK(again.stop() == 0);
}

TEST_CASE("faults: crash-at-boot makes a crash loop, exit-at-boot gives its code") {
  Directory directory;
  write(directory.path("data/rehearsal/faults/gated"), "crash-at-boot\n");
  Process crash(directory, {"gated"}, gated_variables(directory, free_port()));
  CHECK(crash.wait() == 128 + SIGABRT);
  write(directory.path("data/rehearsal/faults/gated"), "exit-at-boot 73\n");
  Process exit(directory, {"gated"}, gated_variables(directory, free_port()));
  CHECK(exit.wait() == 73);
}

TEST_CASE("faults: exit CODE by HTTP, and a line that is none is a 400") {
  Ready ready;
  CHECK(ready.by_http("nonsense").status == 400);
  CHECK(ready.by_http("after 20 exit 7").status == 200);
  CHECK(ready.gated->wait() == 7);
}

TEST_CASE("faults: health-503 and hang-health hold while the file asks for them") {
  Ready ready;
  const auto soon = std::chrono::milliseconds(200);
  ready.by_file("health-503\n");
  CHECK(eventually([&] { return get(ready.port, "/health").status == 503; }));
  ready.by_file("hang-health\n");
  CHECK(eventually([&] { return get(ready.port, "/health", "", soon).status == 0; }));
  CHECK(get(ready.port, "/v1/channels", "sesame").status == 200);
  ready.by_file("");
  CHECK(eventually([&] { return get(ready.port, "/health", "", soon).status == 200; }));
}

TEST_CASE("faults: ignore-term keeps the daemon up until SIGKILL") {
  Ready ready;
  REQUIRE(ready.by_http("ignore-term").status == 200);
  ready.gated->signal(SIGTERM);
  ready.gated->signal(SIGINT);
  CHECK(get(ready.port, "/health").status == 200);
  CHECK(ready.gated->wait(std::chrono::milliseconds(100)) == -1);
  ready.gated->signal(SIGKILL);
  CHECK(ready.gated->wait() == 128 + SIGKILL);
}

TEST_CASE("faults: flood writes as many lines as asked for, of the size asked for") {
  Ready ready;
  REQUIRE(ready.by_http("flood 3000 100").status == 200);
  CHECK(ready.gated->says(R"("line":2999,)"));
  const auto& text = ready.gated->errors();
  CHECK(text.contains(fmt::format(R"("filling":"{}")", std::string(100, 'x'))));
}

TEST_CASE("faults: grow takes the memory and keeps it") {
  Ready ready;
  REQUIRE(ready.by_http("grow 32").status == 200);
  CHECK(eventually([&] { return resident_mebibytes(ready.gated->pid()) >= 32; }));
}

TEST_CASE("faults: flee leaves a process in a session of its own that ignores SIGTERM") {
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Ready ready;
  for (const auto* fault : {"flee", "flee-clean-env"}) {
    CAPTURE(fault);
    REQUIRE(ready.by_http(fault).status == 200);
    REQUIRE(eventually([] { return adopted_runaways().size() == 1; }));
    const int runaway = adopted_runaways().front();
    CHECK(::getsid(runaway) != ::getsid(ready.gated->pid()));
    // Deaf once its handlers are set: the cmdline is there before that, so look at SigIgn.
    CHECK(eventually([runaway] {
      std::ifstream file(fmt::format("/proc/{}/status", runaway));
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const auto at = text.find("SigIgn:\t");
      return at != std::string::npos &&
             (std::stoull(text.substr(at + 8, 16), nullptr, 16) & (1ULL << (SIGTERM - 1)));
    }));
    ::kill(runaway, SIGTERM);
    CHECK(::kill(runaway, 0) == 0);
    std::ifstream environment(fmt::format("/proc/{}/environ", runaway));
    const std::string inherited{std::istreambuf_iterator<char>(environment), {}};
    CHECK(inherited.empty() == (std::string_view(fault) == "flee-clean-env"));
    ::kill(runaway, SIGKILL);
    CHECK(::waitpid(runaway, nullptr, 0) == runaway);
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("faults: orphans become children of the reaper above, as many as asked for") {
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Ready ready;
  REQUIRE(ready.by_http("orphans 100").status == 200);
  int reaped = 0;
  const int daemon = ready.gated->pid();
  CHECK(eventually([&] {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
           info.si_pid != daemon) {
      if (::waitpid(info.si_pid, nullptr, 0) == info.si_pid) ++reaped;
      info = {};
    }
    return reaped == 100;
  }));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("faults: refuse makes a new value of a token fatal, with the token in teled's line (T28)") {
  Ready ready;
  auto variables = teled_variables(ready.directory, ready.port, free_port());
  variables["REHEARSAL_FAULTS"] = "refuse TELEGRAM_BOT_TOKEN 4711:made-up";
  Process teled(ready.directory, {"teled"}, variables);
  CHECK(teled.wait() == 1);
  CHECK(teled.errors().contains("telegram auth failed"));
  CHECK(teled.errors().contains("bot4711:made-up/getMe"));
  variables["TELEGRAM_BOT_TOKEN"] = "4711:the-old-one";
  Process old(ready.directory, {"teled"}, variables);
  CHECK(old.says("adapter running"));
}

TEST_CASE("faults: emaid does not exit on a refused login, it answers 503") {
  Ready ready;
  const int port = free_port();
  auto variables = teled_variables(ready.directory, ready.port, port);
  variables.insert({{"EMAIL_IMAP_HOST", "x"}, {"EMAIL_SMTP_HOST", "x"}, {"EMAIL_ACCOUNT", "x"}});
  variables["EMAIL_PASSWORD"] = "new";
  variables["REHEARSAL_FAULTS"] = "refuse EMAIL_PASSWORD new,slow-stop 0";
  Process emaid(ready.directory, {"emaid"}, variables);
  REQUIRE(emaid.says("imap login failed"));
  REQUIRE(emaid.says("adapter running"));
  CHECK(get(port, "/health").status == 503);
  CHECK(emaid.stop() == 0);
}

TEST_CASE("faults: bskyd refuses a new password only where no saved session is there") {
  Ready ready;
  auto variables = teled_variables(ready.directory, ready.port, free_port());
  variables.insert({{"BLUESKY_IDENTIFIER", "x"}, {"BLUESKY_PASSWORD", "new"}});
  variables["REHEARSAL_FAULTS"] = "refuse BLUESKY_PASSWORD new,slow-stop 0";
  Process fresh(ready.directory, {"bskyd"}, variables);
  CHECK(fresh.wait() == 1);
  CHECK(fresh.errors().contains("bluesky auth failed"));
  write(ready.directory.path("data/bluesky-session.json"), "{}");
  Process saved(ready.directory, {"bskyd"}, variables);
  CHECK(saved.says("adapter running"));
}

TEST_CASE("faults: teled ends 5 s after it was told, and has deregistered at once; slow-stop says how long") {
  Ready ready;
  auto variables = teled_variables(ready.directory, ready.port, free_port());
  variables["REHEARSAL_FAULTS"] = "";
  Process usual(ready.directory, {"teled"}, variables);
  REQUIRE(usual.says("adapter running"));
  usual.signal(SIGTERM);
  CHECK(ready.gated->says(R"("msg":"channel deregistered","name":"telegram")"));
  CHECK(usual.running());
  CHECK(usual.wait() == 0);
  write(ready.directory.path("data/rehearsal/faults/all"), "slow-stop 10\n");
  Process told(ready.directory, {"teled"}, variables);
  REQUIRE(told.says("adapter running"));
  CHECK(told.stop() == 0);
  CHECK(told.errors().contains("poll goroutine did not exit within timeout"));
}

TEST_CASE("faults: login-hang holds an adapter in login, where SIGTERM is caught and not acted on (T23)") {
  Ready ready;
  auto variables = teled_variables(ready.directory, ready.port, free_port());
  variables["REHEARSAL_FAULTS"] = "login-hang";
  Process teled(ready.directory, {"teled"}, variables);
  REQUIRE(ready.gated->says(R"("msg":"channel registered","name":"telegram")"));
  teled.signal(SIGTERM);
  CHECK(teled.wait(std::chrono::milliseconds(200)) == -1);
  teled.signal(SIGKILL);
  CHECK(teled.wait() == 128 + SIGKILL);
}

TEST_CASE("faults: no-listen gets ready without a port, slow-boot late") {
  const auto begun = std::chrono::steady_clock::now();
  Ready ready({{"REHEARSAL_FAULTS", "no-listen,slow-boot 400"}});
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(400));
  CHECK(get(ready.port, "/health").status == 0);
}
