// Today's arizuko, point by point, with real processes: authd, routd, runed, and those that both lines have.
#include "running.hpp"
#include "store.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/stat.h>
#include <csignal>
#include <memory>

using namespace running;
using rehearsal::Schema;
using rehearsal::Store;
using rehearsal::StoreUse;

namespace {

// A seeded instance, and what its daemons are given.
struct Instance {
  Instance() {
    Process seed(directory, {"arizuko", "create", "one"},
                 {{"ARIZUKO_DATA_DIR", directory.path()}, {"APP_SRC_DIR", "/nowhere"}});
    REQUIRE(seed.wait() == 0);
  }
  std::string data() const { return directory.path("arizuko_one"); }
  std::string url(const std::string& daemon) { return fmt::format("http://127.0.0.1:{}", port(daemon)); }
  int port(const std::string& daemon) {
    const auto [at, fresh] = ports.try_emplace(daemon, 0);
    if (fresh) at->second = free_port();
    return at->second;
  }
  Variables of(const std::string& daemon, Variables more = {}) {
    const auto address = fmt::format("127.0.0.1:{}", port(daemon));
    Variables all{{"DATA_DIR", data()},
                  {"AUTHD_URL", url("authd")},
                  {"AUTHD_SERVICE_KEY", daemon + "-key"},
                  {"AUTHD_SERVICE_NAME", daemon},
                  {"ROUTER_URL", url("routd")},
                  {"RUNED_URL", url("runed")},
                  {"ONBOD_URL", url("onbod")},
                  {"LISTEN_ADDR", address},
                  {"LISTEN_URL", "http://" + address},
                  {"TELEGRAM_BOT_TOKEN", "4711:made-up"},
                  {"REHEARSAL_FAULTS", "slow-stop 0"}};
    for (auto& [key, value] : more) all[key] = value;
    return all;
  }
  std::unique_ptr<Process> start(const std::string& daemon, Variables more = {}) {
    return std::make_unique<Process>(directory, std::vector{daemon}, of(daemon, std::move(more)));
  }
  std::unique_ptr<Process> authd() {
    auto process =
        start("authd", {{"AUTHD_SERVICE_KEYS",
                         "service:routd=routd-key,service:runed=runed-key,service:teled=teled-key,"
                         "service:onbod=onbod-key,service:webd=webd-key,service:timed=timed-key"}});
    REQUIRE(process->says("authd running"));
    return process;
  }
  std::unique_ptr<Process> routd(Variables more = {}) {
    auto process = start("routd", std::move(more));
    REQUIRE(process->says("routd running"));
    return process;
  }
  std::string token(const std::string& daemon) {
    const auto body = fmt::format(R"({{"principal":"service:{0}","key":"{0}-key"}})", daemon);
    const auto reply = post(port("authd"), "/v1/service/token", body);
    const auto begin = reply.body.find(R"("token":")") + 9;
    return reply.status == 200 ? reply.body.substr(begin, reply.body.find('"', begin) - begin) : "";
  }
  std::string one_value(const std::string& path, std::string_view sql) const {
    auto store = Store::open(path, StoreUse::Raw);
    REQUIRE(store);
    const auto rows = store->rows(sql);
    if (!rows) return "error: " + rows.error();
    return rows->empty() ? "none" : rows->front().front();
  }

  Directory directory;
  std::map<std::string, int> ports;
};

Reply inbound(int port, std::string_view text = "hello") {
  return post(port, "/v1/rehearsal/inbound", fmt::format(R"({{"text":"{}","jid":"telegram:7"}})", text));
}

}  // namespace

TEST_CASE(
    "today: the seed makes four databases, of which routd's alone has tables, and secrets of today's kind") {
  Instance one;
  for (const auto* file : {"authd/auth.db", "onbod/onbod.db", "runed/runed.db"})
    CHECK(std::filesystem::file_size(one.data() + "/store/" + file) == 0);
  CHECK(one.one_value(one.data() + "/store/routd/routd.db", "SELECT folder FROM groups") == "main");
  CHECK_FALSE(std::filesystem::exists(one.data() + "/store/messages.db"));
  CHECK(std::filesystem::exists(one.data() + "/groups/main/.claude"));
  const auto dotenv = rehearsal::read_file(one.data() + "/.env").value_or("");
  CHECK(dotenv.contains("\nAUTH_SECRET="));
  CHECK(dotenv.contains("\nSECRETS_KEY="));
  CHECK_FALSE(dotenv.contains("CHANNEL_SECRET"));
}

TEST_CASE("today: authd ends with 1 where the seed has made no auth.db") {
  Directory directory;
  Process authd(directory, {"authd"}, {{"DATA_DIR", directory.path("data")}});
  CHECK(authd.wait() == 1);
  CHECK(authd.errors().contains("unable to open database file"));
}

TEST_CASE("today: a wrong key, another's key and a principal of no daemon are one and the same 401 (N1)") {
  Instance one;
  const auto authd = one.authd();
  CHECK_FALSE(one.token("teled").empty());
  const auto ask = [&](std::string_view principal, std::string_view key) {
    return post(one.port("authd"), "/v1/service/token",
                fmt::format(R"({{"principal":"{}","key":"{}"}})", principal, key))
        .status;
  };
  CHECK(ask("service:teled", "wrong") == 401);
  CHECK(ask("service:teled", "routd-key") == 401);
  CHECK(ask("service:telegram", "teled-key") == 401);
}

TEST_CASE("today: whoever needs authd ends with 1 and the name of the variable that is missing") {
  Instance one;
  for (const auto* daemon : {"routd", "runed", "webd", "proxyd", "onbod", "dashd", "timed", "teled"}) {
    auto variables = one.of(daemon, {{"DB_PATH", one.data() + "/store/routd/routd.db"}});
    variables.erase("AUTHD_SERVICE_KEY");
    Process process(one.directory, {daemon}, variables);
    CHECK_MESSAGE(process.wait() == 1, daemon);
    CHECK_MESSAGE(process.errors().contains("AUTHD_SERVICE_KEY"), daemon);
  }
}

TEST_CASE(
    "today: an adapter without AUTHD_SERVICE_NAME calls itself by its channel, and authd knows no such one") {
  Instance one;
  const auto authd = one.authd();
  const auto routd = one.routd();
  auto variables = one.of("teled");
  variables.erase("AUTHD_SERVICE_NAME");
  Process teled(one.directory, {"teled"}, variables);
  CHECK(teled.wait() == 1);
  CHECK(teled.errors().contains("authd answers 401 to service:telegram"));
}

TEST_CASE("today: messages flow on while authd is away, and a new authd judges old tokens") {
  Instance one;
  auto authd = one.authd();
  const auto routd = one.routd();
  const auto teled = one.start("teled");
  REQUIRE(teled->says("adapter running"));
  CHECK(inbound(one.port("teled")).status == 200);
  const auto token = one.token("onbod");
  CHECK(get(one.port("routd"), "/v1/channels", token).body.contains("telegram"));
  authd->signal(SIGKILL);
  authd->wait();
  CHECK(inbound(one.port("teled"), "again").status == 200);
  CHECK(get(one.port("routd"), "/v1/channels", token).status == 200);
  CHECK(get(one.port("routd"), "/v1/channels", "wrong").status == 401);
  authd = one.authd();
  CHECK(post(one.port("routd"), "/v1/outbound", R"({"jid":"telegram:7","text":"hi"})", token).status == 200);
  CHECK(get(one.port("teled"), "/v1/rehearsal/outbound").body.contains("hi"));
}

TEST_CASE("today: an adapter that routd has forgotten is back with its heartbeat, and webd is not (N7)") {
  Instance one;
  const auto authd = one.authd();
  const auto routd = one.routd({{"REHEARSAL_HEALTH_MS", "20"}});
  const auto teled = one.start("teled", {{"REHEARSAL_HEARTBEAT_MS", "300"}});
  const auto webd = one.start("webd", {{"WEBD_LISTEN", fmt::format("127.0.0.1:{}", one.port("webd"))},
                                       {"WEBD_URL", one.url("webd")}});
  REQUIRE(teled->says("adapter running"));
  REQUIRE(webd->says("webd running"));
  for (const auto* daemon : {"teled", "webd"}) post(one.port(daemon), "/v1/rehearsal/fault", "health-503");
  REQUIRE(routd->says(R"("msg":"channel auto-deregistered","channel":"telegram")"));
  REQUIRE(routd->says(R"("msg":"channel auto-deregistered","channel":"web")"));
  for (const auto* daemon : {"teled", "webd"}) post(one.port(daemon), "/v1/rehearsal/fault", "");
  const auto token = one.token("timed");
  const auto knows = [&](std::string_view name) {
    return get(one.port("routd"), "/v1/channels", token).body.contains(fmt::format(R"("name":"{}")", name));
  };
  CHECK(eventually([&] { return knows("telegram"); }, bound));
  CHECK_FALSE(knows("web"));
}

TEST_CASE("today: at a route miss routd tells onbod once, and the user where onbod is away (N2)") {
  Instance one;
  const auto authd = one.authd();
  const auto routd = one.routd({{"ONBOARDING_ENABLED", "true"}});
  const auto teled = one.start("teled");
  REQUIRE(teled->says("adapter running"));
  CHECK(inbound(one.port("teled")).status == 200);
  REQUIRE(routd->says("insert onboarding failed"));
  CHECK(eventually(
      [&] {
        return get(one.port("teled"), "/v1/rehearsal/outbound").body.contains("Couldn't register this chat");
      },
      bound));
  const auto database = one.data() + "/store/onbod/onbod.db";
  const auto onbod =
      one.start("onbod", {{"ONBOD_LISTEN_ADDR", fmt::format("127.0.0.1:{}", one.port("onbod"))},
                          {"ONBOD_DB_PATH", database},
                          {"ROUTD_DB_PATH", one.data() + "/store/routd/routd.db"},
                          {"ONBOARD_POLL_INTERVAL", "20ms"},
                          {"AUTH_BASE_URL", "https://chat.example"}});
  REQUIRE(healthy(one.port("onbod")));
  CHECK(one.one_value(database, "SELECT count(*) FROM onboarding") == "0");
  CHECK(inbound(one.port("teled"), "again").status == 200);
  REQUIRE(onbod->says("onboarding prompt sent"));
  CHECK(get(one.port("teled"), "/v1/rehearsal/outbound").body.contains("https://chat.example/pair/"));
}

TEST_CASE("today: guests of routd.db end with 1 before routd has migrated it") {
  Instance one;
  std::filesystem::remove_all(one.data() + "/store/routd");
  std::filesystem::create_directories(one.data() + "/store/routd");
  write(one.data() + "/store/routd/routd.db", "");
  const auto authd = one.authd();
  for (const auto* daemon : {"webd", "proxyd", "onbod"}) {
    const auto process = one.start(daemon, {{"ONBOD_DB_PATH", one.data() + "/store/onbod/onbod.db"},
                                            {"ROUTD_DB_PATH", one.data() + "/store/routd/routd.db"}});
    CHECK_MESSAGE(process->wait() == 1, daemon);
    CHECK_MESSAGE(process->errors().contains("no such table: acl"), daemon);
  }
}

TEST_CASE("today: dashd refuses messages.db and believes nobody but proxyd") {
  Instance one;
  const auto refused = one.start("dashd", {{"DB_PATH", one.data() + "/store/messages.db"}});
  CHECK(refused->wait() == 1);
  const auto authd = one.authd();
  const auto dashd = one.start("dashd", {{"DB_PATH", one.data() + "/store/routd/routd.db"},
                                         {"DASH_PORT", std::to_string(one.port("dashd"))}});
  REQUIRE(healthy(one.port("dashd")));
  CHECK(get(one.port("dashd"), "/dash/").status == 303);
  CHECK(dashd->stop() == 0);
}

TEST_CASE("today: timed needs no database, answers for itself and has routd fire what is due") {
  Instance one;
  const auto authd = one.authd();
  const auto routd = one.routd();
  auto variables = one.of("timed", {{"REHEARSAL_TIMED_PORT", std::to_string(one.port("timed"))}});
  variables.erase("DATA_DIR");
  Process timed(one.directory, {"timed"}, variables);
  REQUIRE(healthy(one.port("timed")));
  CHECK(get(one.port("timed"), "/dash/timed/").status == 403);
  CHECK(routd->says(R"("msg":"task fired")"));
}

TEST_CASE("today: slakd ends by itself when its login is lost in quiet times (N10)") {
  Instance one;
  const auto authd =
      one.start("authd", {{"AUTHD_SERVICE_KEYS", "service:slakd=slakd-key,service:routd=routd-key"}});
  REQUIRE(authd->says("authd running"));
  const auto routd = one.routd();
  const auto slakd = one.start("slakd", {{"SLACK_BOT_TOKEN", "x"},
                                         {"SLACK_SIGNING_SECRET", "x"},
                                         {"SLAKD_STALE_SECONDS", "0"},
                                         {"SLAKD_WATCHDOG_SECONDS", "1"},
                                         {"SLAKD_STALE_FAIL_LIMIT", "1"}});
  REQUIRE(slakd->says("adapter running"));
  CHECK(post(one.port("slakd"), "/v1/rehearsal/fault", "auth-lost").status == 200);
  CHECK(slakd->wait() == 1);
}

TEST_CASE("today: runed listens only after docker info, and ends with 1 without docker") {
  Instance one;
  const auto runed = one.start("runed", {{"REHEARSAL_DOCKER", "1"}, {"PATH", one.directory.path("bin")}});
  CHECK(runed->wait() == 1);
  CHECK(runed->errors().contains("executable file not found in $PATH"));
  CHECK(get(one.port("runed"), "/health").status == 0);
}

namespace {

// authd, runed with a docker command of the test's own, routd that runs agents, teled.
struct Agents : Instance {
  explicit Agents(std::string_view docker, Variables for_runed = {}) {
    write(directory.path("bin/docker"), docker);
    ::chmod(directory.path("bin/docker").c_str(), 0755);
    for_runed["PATH"] = directory.path("bin") + ":/usr/bin:/bin";
    authd_ = authd();
    runed = start("runed", std::move(for_runed));
    REQUIRE(runed->says("runed running"));
    routd_ = routd({{"REHEARSAL_AGENTS", "1"}});
    teled = start("teled");
    REQUIRE(teled->says("adapter running"));
  }
  std::string calls() const { return rehearsal::read_file(directory.path("calls")).value_or(""); }
  std::unique_ptr<Process> authd_, runed, routd_, teled;
};

}  // namespace

TEST_CASE("today: a message becomes a turn: runed runs docker, the agent answers at routd's socket") {
  Agents one(
      fmt::format("#!/bin/sh\necho \"$*\" >>calls\n"
                  "for word; do case $word in *:/run/ipc) ipc=${{word%:/run/ipc}};; esac; done\n"
                  "mkdir -p root/run && ln -sfn $ipc root/run/ipc\n"
                  "AGENT_ROOT=$PWD/root exec {}/arizuko-rehearsal agent\n",
                  ARIZUKO_BINARY_DIR));
  CHECK(inbound(one.port("teled")).status == 200);
  CHECK(eventually(
      [&] { return get(one.port("teled"), "/v1/rehearsal/outbound").body.contains("you said: hello"); },
      bound));
  CHECK(one.calls().contains("run -i --rm --name arizuko-Andy-main-"));
  CHECK(one.calls().contains("-v " + one.data() + "/app-src:/opt/arizuko:ro"));
  CHECK(one.one_value(one.data() + "/store/runed/runed.db", "SELECT outcome FROM runs") == "ok");
}

TEST_CASE("today: a turn whose docker fails is marked as errored and not tried again") {
  Agents one("#!/bin/sh\necho \"$*\" >>calls\necho no docker here >&2\nexit 125\n");
  CHECK(inbound(one.port("teled")).status == 200);
  REQUIRE(one.routd_->says("agent failed"));
  CHECK(one.routd_->errors().contains("no docker here"));
  const auto database = one.data() + "/store/routd/routd.db";
  CHECK(
      eventually([&] { return one.one_value(database, "SELECT status FROM messages") == "errored"; }, bound));
  CHECK(inbound(one.port("teled"), "another").status == 200);
  CHECK(eventually([&] { return std::ranges::count(one.calls(), '\n') == 2; }, bound));
  CHECK(one.one_value(database, "SELECT count(*) FROM messages") == "2");
}

TEST_CASE("today: runed waits for its runs, but no longer than RUNED_SHUTDOWN_GRACE (N4)") {
  Agents one("#!/bin/sh\necho up >>calls\nexec sleep 1000\n", {{"RUNED_SHUTDOWN_GRACE", "300ms"}});
  CHECK(inbound(one.port("teled")).status == 200);
  REQUIRE(eventually([&] { return one.calls() == "up\n"; }, bound));
  one.runed->signal(SIGTERM);
  CHECK(one.runed->wait() == 0);
  CHECK(one.runed->errors().contains(R"("msg":"shutdown grace over, runs left behind","runs":1)"));
}

namespace {

// Runs until it is stopped, by `docker stop` too.
constexpr std::string_view stoppable =
    "#!/bin/sh\necho $1 >>calls\n"
    "[ $1 = run ] || exec kill $(cat pid)\n"
    "echo $$ >pid\nexec sleep 1000\n";

}  // namespace

TEST_CASE("today: runed stops a run that is over RUNED_RUN_TIMEOUT, and routd takes it for failed") {
  Agents one(stoppable, {{"RUNED_RUN_TIMEOUT", "300ms"}});
  CHECK(inbound(one.port("teled")).status == 200);
  REQUIRE(one.runed->says("run timeout"));
  REQUIRE(one.routd_->says("agent failed"));
  CHECK(one.calls() == "run\nstop\n");
}

TEST_CASE("today: runed stops a run whose routd is gone") {
  Agents one(stoppable);
  CHECK(inbound(one.port("teled")).status == 200);
  REQUIRE(eventually([&] { return one.calls() == "run\n"; }, bound));
  one.routd_->signal(SIGKILL);
  REQUIRE(one.runed->says("run dropped by routd"));
  CHECK(eventually([&] { return one.calls() == "run\nstop\n"; }, bound));
}
