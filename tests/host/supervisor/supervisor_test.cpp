// The supervisor with real processes: small plans, run to their end. The whole pod is tried in tests/e2e.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <fcntl.h>

#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"
#include "arizuko/plan/load.hpp"
#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

/// An instance of the plan `text` below a scratch directory; `$DIR` in the text is that directory.
class TestPod {
 public:
  explicit TestPod(std::string text, std::map<std::string, std::string> values = {}) {
    static const bool reaper = ProcessTable::become_reaper();
    REQUIRE(reaper);
    text =
        "[pod]\ninstance = \"t\"\ndata_dir = \"$DIR\"\nprobes = \"off\"\npage = \"off\"\n"
        "ready_when = []\ntermination_log = \"$DIR/termination\"\n" +
        text;
    for (std::size_t at; (at = text.find("$DIR")) != std::string::npos;) text.replace(at, 4, scratch.path());
    write_text(scratch / "termination", "");
    std::filesystem::create_directories(scratch / ".arizuko-init");
    auto loaded = plan::load({{"test.toml", text}}, {}, [](std::string_view) { return std::nullopt; });
    for (const auto& problem : loaded ? plan::Problems{} : loaded.error()) MESSAGE(plan::to_text(problem));
    REQUIRE(loaded);
    plan = std::make_shared<const plan::Plan>(std::move(*loaded));
    for (auto& [name, value] : values) {
      snapshot.values[name] = {value, "environment"};
      entries.push_back(name + '=' + value);
    }
    for (std::string& entry : entries) environment.push_back(entry.data());
    environment.push_back(nullptr);
    snapshot.generation = 1;
    log = ::open((scratch / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  }
  ~TestPod() { ::close(log); }

  /// Runs to the end, at most 20 s; `watch` is called at each change. Returns the exit code.
  int run(const std::function<void(Supervisor&)>& watch = {}) {
    boost::asio::io_context io{1};
    Supervisor supervisor(
        io, {plan,
             std::make_shared<const env::Snapshot>(snapshot),
             LogFormatter(plan::LogFormat::console, false, 12),
             log,
             StateDir::make(scratch.path()).value(),
             {.reload = [this] { return std::pair{plan, std::make_shared<const env::Snapshot>(snapshot)}; },
              .plan_file = "",
              .environment = environment.data(),
              .complete = {},
              .notices = {}},
             ""});
    if (const auto generated = supervisor.generate_values(); !generated) {
      refusal = generated.error();
      return 77;
    }
    int code = -1;
    if (watch) supervisor.subscribe([&] { watch(supervisor); });
    supervisor.attend([&](int exit_code) {
      code = exit_code;
      io.stop();
    });
    supervisor.start();
    io.run_for(std::chrono::seconds(20));
    history = supervisor.events(0, 10'000);
    return code;
  }

  std::string logged() const { return read_text(scratch / "log"); }
  std::string file(const std::string& name) const { return read_text(scratch / name); }

  Scratch scratch;
  engine::PlanPtr plan;
  env::Snapshot snapshot;
  std::vector<std::string> entries;  // of the environment that the values are read from
  std::vector<char*> environment;
  std::vector<HistoryEvent> history;
  std::string refusal;  // of what was to be generated
  int log = -1;
};

std::string script(const std::string& text) {
  return "command = [\"/bin/sh\", \"-c\", '''" + text + "''']\n";
}

engine::State state_of(Supervisor& supervisor, std::string_view name) {
  return supervisor.view().services[*supervisor.plan().find(name)].state;
}

}  // namespace

TEST_CASE("supervisor: a task runs before the service that comes after it, and the run ends as asked") {
  TestPod pod("[task.seed]\n" + script("echo seeded > $DIR/seed") +
              "creates = \"$DIR/seed\"\nverify = [\"$DIR/seed\"]\n" + "[service.main]\nafter = [\"seed\"]\n" +
              script("cat $DIR/seed; exec sleep 100"));
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::ready && supervisor.counters().log_lines > 0) {
      supervisor.request_stop("the test");
    }
  });
  CHECK(code == 0);
  CHECK(pod.logged().contains("main         | seeded"));
  CHECK_FALSE(std::filesystem::exists(pod.scratch / ".arizuko-init/seed.begun"));
}

TEST_CASE("supervisor: a stray signal does not end us, and costs no child a system call") {
  TestPod pod("[service.main]\n" + script("grep -E \"^Sig(Blk|Ign)\" /proc/self/status; exec sleep 100"));
  bool sent = false;
  const int code = pod.run([&](Supervisor& supervisor) {
    if (!std::exchange(sent, true)) {
      for (const int number : {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGQUIT, SIGWINCH, SIGRTMIN + 3})
        ::raise(number);
      for (const int number : {SIGUSR1, SIGQUIT, SIGRTMIN + 3}) {
        struct sigaction now{};
        ::sigaction(number, nullptr, &now);
        CHECK((now.sa_handler == SIG_DFL));
      }
    }
    if (supervisor.counters().log_lines >= 2) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(sent);
  CHECK(pod.logged().contains("SigBlk:\t0000000000000000"));
  CHECK(pod.logged().contains("SigIgn:\t0000000000000000"));
}

TEST_CASE("supervisor: a task that was cut short runs again although what it creates is there") {
  TestPod pod("[task.seed]\n" + script("echo again >> $DIR/seed") +
              "creates = \"$DIR/seed\"\n[service.main]\nafter = [\"seed\"]\n" + script("exec sleep 100"));
  write_text(pod.scratch / "seed", "half\n");
  write_text(pod.scratch / ".arizuko-init/seed.begun", "");
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::ready) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(pod.file("seed") == "half\nagain\n");
}

TEST_CASE("supervisor: the last words of a daemon come before its end, and are in the termination message") {
  TestPod pod("[service.main]\nessential = true\nrestart = { when = \"never\" }\n" +
              script("echo last words >&2; exit 3"));
  CHECK(pod.run() == 75);
  CHECK(pod.logged().find("last words") < pod.logged().find("exited with code 3"));
  CHECK(pod.file("termination").contains("last words"));
  CHECK(pod.file("termination").contains("exited with code 3"));
}

TEST_CASE("supervisor: a child sees what it takes, its env and its mark, and nothing else") {
  TestPod pod(
      "[service.main]\nessential = true\nrestart = { when = \"never\" }\ntake = [\"TAKEN\"]\n"
      "env = { MADE = \"${TAKEN}-made\" }\ncommand = [\"/usr/bin/env\"]\n",
      {{"TAKEN", "one"}, {"NOT_TAKEN", "two"}});
  pod.run();
  const std::string log = pod.logged();
  for (const char* line :
       {"TAKEN=one", "MADE=one-made", "ARIZUKO_INIT_SERVICE=main/1/", "PATH=/usr/local/sbin"}) {
    CAPTURE(line);
    CHECK(log.contains(line));
  }
  CHECK_FALSE(log.contains("NOT_TAKEN"));
  CHECK_FALSE(log.contains("HOME="));
}

TEST_CASE("supervisor: what a run leaves behind is gone before the next run starts") {
  // The grandchild leaves the session; its mark tells whose it is.
  TestPod pod(
      "[service.main]\nrestart = { delay = \"0s\" }\nstop = { timeout = \"1s\", leftovers = \"100ms\" }\n" +
      script("[ -e $DIR/pid ] && kill -0 $(cat $DIR/pid) 2>/dev/null && echo TWO AT ONCE\n"
             "setsid sleep 7654 & echo $! > $DIR/pid; sleep 0.1; exit 1"));
  const int code = pod.run([](Supervisor& supervisor) {
    if (supervisor.view().services[0].runs.spawns >= 3) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK_FALSE(pod.logged().contains("TWO AT ONCE"));
  CHECK(pod.logged().contains("SIGKILL to what its last run left: sleep"));
}

TEST_CASE("supervisor: lines that match a drop pattern are not passed on") {
  TestPod pod("[service.main]\nessential = true\nrestart = { when = \"never\" }\ndrop = [\"/health\"]\n" +
              script("echo GET /health; echo GET /page"));
  pod.run();
  CHECK_FALSE(pod.logged().contains("/health"));
  CHECK(pod.logged().contains("GET /page"));
}

TEST_CASE("supervisor: a program that is not there is an event with its stage, not the end of the others") {
  TestPod pod(
      "[service.absent]\ncommand = [\"no-such-program\"]\nrestart = { budget = 1 }\n[service.main]\n" +
      script("exec sleep 100"));
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "absent") == engine::State::failed &&
        state_of(supervisor, "main") == engine::State::ready) {
      supervisor.request_stop("the test");
    }
  });
  CHECK(code == 0);
  CHECK(pod.logged().contains("finding the program no-such-program"));
}

TEST_CASE("supervisor: an exec condition opens the gate, and its command is not an orphan") {
  TestPod pod("[service.main]\n" + script("sleep 0.05; touch $DIR/up; exec sleep 100") +
              "[service.main.ready]\nexec = [\"/usr/bin/test\", \"-e\", \"$DIR/up\"]\n");
  std::uint64_t orphans = 1;
  const int code = pod.run([&](Supervisor& supervisor) {
    if (state_of(supervisor, "main") != engine::State::ready) return;
    orphans = supervisor.counters().orphans_reaped;
    supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(orphans == 0);
}

TEST_CASE("supervisor: sd_notify opens the gate") {
  TestPod pod(
      "[service.main]\ncommand = [\"/usr/bin/python3\", \"-c\", '''\n"
      "import os, socket, time\n"
      "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
      "a = os.environ[\"NOTIFY_SOCKET\"]\n"
      "s.sendto(b\"READY=1\", \"\\0\" + a[1:])\n"
      "time.sleep(100)''']\n[service.main.ready]\nnotify = true\nwithin = \"15s\"\n");
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::ready) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
}

TEST_CASE("supervisor: history has no gaps and every line a cause") {
  TestPod pod("[service.main]\nrestart = { budget = 2, delay = \"1ms\", verdict = \"end-pod\" }\n" +
              script("exit 1"));
  CHECK(pod.run() == 75);
  std::uint64_t seq = 0;
  for (const HistoryEvent& event : pod.history) {
    CHECK(event.seq == ++seq);
    CHECK_FALSE(event.cause.empty());
  }
  CHECK(seq > 5);
}

TEST_CASE("supervisor: a readiness file that an earlier run left does not make the service ready") {
  // The second run writes it only when it is told to: until then it is not ready.
  TestPod pod(
      "[service.main]\n" +
      script("until [ -e $DIR/go ]; do echo waits; sleep 0.01; done; echo $$ > $DIR/ready; exec sleep 100") +
      "ready.file = \"$DIR/ready\"\n");
  write_text(pod.scratch / "ready", "of an earlier run");
  bool seen = false;
  const int code = pod.run([&](Supervisor& supervisor) {
    const engine::ServiceView& main = supervisor.view().services.front();
    if (main.state == engine::State::starting && !main.readiness.front().detail.empty()) {
      CHECK(main.readiness.front().detail.contains("is of an earlier run: not written since this one began"));
      seen = true;
      write_text(pod.scratch / "go", "");
    }
    if (main.state == engine::State::ready) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(seen);
}

TEST_CASE("supervisor: an instance that has data and no fingerprints says so") {
  const auto warned = [](TestPod& pod) {
    pod.run([](Supervisor& supervisor) { supervisor.request_stop("the test"); });
    return std::ranges::count(pod.history, "warning", &HistoryEvent::code) == 1;
  };
  const std::string text =
      "[env]\nguarded = [\"AUTH_SECRET\"]\n[task.seed]\ncommand = [\"true\"]\n"
      "creates = \"$DIR/database\"\n[service.main]\nafter = [\"seed\"]\n"
      "take = [\"AUTH_SECRET\"]\n" +
      script("exec sleep 100");
  TestPod fresh(text, {{"AUTH_SECRET", "one-secret-value"}});
  CHECK_FALSE(warned(fresh));
  TestPod seeded(text, {{"AUTH_SECRET", "one-secret-value"}});
  write_text(seeded.scratch / "database", "");
  CHECK(warned(seeded));
  CHECK(seeded.logged().contains("WARN"));
}

TEST_CASE(
    "supervisor: a command that is not there, delay 0 and an endless budget leave the loop to the others") {
  TestPod pod(
      "[service.absent]\ncommand = [\"/nonexist\"]\nrestart = { delay = \"0s\", budget = 0 "
      "}\n[service.main]\n"
      "after_tried = [\"absent\"]\n" +
      script("exec sleep 100"));
  std::uint32_t tries = 0;
  const int code = pod.run([&](Supervisor& supervisor) {
    tries = supervisor.view().services[0].runs.spawns;
    if (state_of(supervisor, "main") == engine::State::ready && tries >= 3)
      supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(tries == 3);
}

TEST_CASE("supervisor: 60000 bare newlines come before the end of who wrote them, and so do its last words") {
  TestPod pod("[service.main]\nessential = true\nrestart = { when = \"never\" }\n" +
              script("yes '' | head -60000; echo last words; exit 3"));
  CHECK(pod.run() == 75);
  CHECK(pod.logged().find("last words") < pod.logged().find("exited with code 3"));
  CHECK(pod.file("termination").contains("last words"));
}

TEST_CASE("supervisor: who ends while somebody else floods has its end told, and is started again") {
  TestPod pod("[service.floods]\n" + script("exec yes ''") +
              "[service.main]\nrestart = { delay = \"0s\" }\n" + script("echo in $$; exit 1"));
  const int code = pod.run([](Supervisor& supervisor) {
    if (supervisor.view().services[1].runs.spawns >= 5) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
}

TEST_CASE("supervisor: 300 that end at once are all told, and the run goes on") {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text +=
        "[service.s" + std::to_string(i) + "]\ncommand = [\"/bin/true\"]\nrestart = { when = \"never\" }\n";
  TestPod pod(text);
  const int code = pod.run([](Supervisor& supervisor) {
    const auto& services = supervisor.view().services;
    if (std::ranges::all_of(services, [](const auto& each) { return each.state == engine::State::done; }))
      supervisor.request_stop("the test");
  });
  CHECK(code == 0);
}

// -----------------------------------------------------------------------------------------------
// Values that are made once

namespace {

const std::string generating =
    "[env]\nguarded = [\"SEALED\"]\n[env.generated]\nOPEN = true\nSEALED = true\n"
    "[task.seed]\n" +
    script("echo > $DIR/seed") + "creates = \"$DIR/seed\"\n" +
    "[service.main]\nafter = [\"seed\"]\nneed = [\"OPEN\"]\ntake = [\"SEALED\"]\n" +
    script("echo $OPEN $SEALED > $DIR/seen; echo it is $OPEN; exec sleep 100");

/// Until main is ready, and its line is logged.
int run_till_ready(TestPod& pod) {
  return pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::ready && supervisor.counters().log_lines > 0)
      supervisor.request_stop("the test");
  });
}

bool was_said(const TestPod& pod, std::string_view text) {
  return std::ranges::any_of(pod.history,
                             [&](const HistoryEvent& each) { return each.cause.contains(text); });
}

}  // namespace

TEST_CASE(
    "supervisor: what no source has is made before the first child, the same in the next run, and shown "
    "nowhere") {
  TestPod pod(generating);
  CHECK(run_till_ready(pod) == 0);
  const std::string open = pod.file(".arizuko-init/generated/OPEN");
  const std::string sealed = pod.file(".arizuko-init/generated/SEALED");
  CHECK(open.size() == 64);
  CHECK(pod.file("seen") == open + " " + sealed + "\n");
  CHECK(was_said(pod, "generated, because no source has a value: OPEN, SEALED"));
  CHECK(run_till_ready(pod) == 0);
  CHECK(pod.file("seen") == open + " " + sealed + "\n");
  CHECK_FALSE(was_said(pod, "generated, because"));
  CHECK(pod.logged().contains("it is [redacted:OPEN]"));
  CHECK_FALSE(pod.logged().contains(open));
}

TEST_CASE("supervisor: a value of a source is used, and none is made beside it") {
  TestPod pod(generating, {{"OPEN", "of-the-source"}});
  CHECK(run_till_ready(pod) == 0);
  CHECK(pod.file("seen").starts_with("of-the-source "));
  CHECK_FALSE(std::filesystem::exists(pod.scratch / ".arizuko-init/generated/OPEN"));
}

TEST_CASE("supervisor: a generated file that goes while the instance runs is written again, as it was") {
  TestPod pod(generating);
  const std::string path = pod.scratch / ".arizuko-init/generated/OPEN";
  std::string before;
  const int code = pod.run([&](Supervisor& supervisor) {
    if (state_of(supervisor, "main") != engine::State::ready) return;
    if (before.empty()) {
      before = read_text(path);
      std::filesystem::remove(path);
    } else if (std::filesystem::exists(path)) {
      supervisor.request_stop("the test");
    }
  });
  CHECK(code == 0);
  CHECK(before.size() == 64);
  CHECK(read_text(path) == before);
  CHECK(was_said(pod, "OPEN was taken away or emptied: its value is still used, and written again"));
}

TEST_CASE("supervisor: no guarded value is made for an instance that has data without one (T16)") {
  TestPod pod(generating);
  write_text(pod.scratch / "seed", "");
  CHECK(run_till_ready(pod) == 0);
  CHECK(pod.file("seen") == pod.file(".arizuko-init/generated/OPEN") + "\n");
  CHECK_FALSE(std::filesystem::exists(pod.scratch / ".arizuko-init/generated/SEALED"));
  CHECK(was_said(pod, "SEALED stays unset: it is guarded, and this instance has data"));
}

TEST_CASE(
    "supervisor: a guarded value that is lost is not made anew, and what sees it does not start (T16)") {
  TestPod pod(generating);
  CHECK(run_till_ready(pod) == 0);
  const std::string path = pod.scratch / ".arizuko-init/generated/SEALED";
  const std::string value = read_text(path);
  std::filesystem::remove(path);
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::blocked) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(was_said(pod, "Restore " + path + " from a backup"));
  write_text(path, value);
  CHECK(run_till_ready(pod) == 0);
}

TEST_CASE("supervisor: what cannot be kept refuses the run, with the file and what would work") {
  TestPod pod(generating);
  std::filesystem::create_directories(pod.scratch /
                                      ".arizuko-init/generated/OPEN.new");  // in the draft's place
  CHECK(run_till_ready(pod) == 77);
  CHECK(pod.refusal.starts_with("cannot generate OPEN: "));
  CHECK(pod.refusal.contains(".arizuko-init/generated/OPEN: File exists"));
  CHECK(pod.refusal.ends_with("or set OPEN in one of the sources of [env]"));
}

TEST_CASE("supervisor: a generated file that cannot be taken blocks who needs it, with its name, and stays") {
  TestPod pod(generating);
  write_text(pod.scratch / ".arizuko-init/generated", "");
  const int code = pod.run([](Supervisor& supervisor) {
    if (state_of(supervisor, "main") == engine::State::blocked) supervisor.request_stop("the test");
  });
  CHECK(code == 0);
  CHECK(was_said(pod, ".arizuko-init/generated: is a regular file, not a directory"));
  CHECK(std::filesystem::is_regular_file(pod.scratch / ".arizuko-init/generated"));
}
