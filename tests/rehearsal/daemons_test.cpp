// The contract, point by point, with real processes, sockets and SQLite.
#include "running.hpp"
#include "store.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/stat.h>
#include <csignal>

using namespace running;
using rehearsal::Store;
using rehearsal::StoreUse;

namespace {

std::string one_value(const Directory& directory, std::string_view sql) {
  auto store = Store::open(directory.path("data/store/messages.db"), StoreUse::Raw);
  REQUIRE(store);
  const auto rows = store->rows(sql);
  if (!rows) return "error: " + rows.error();
  return rows->empty() ? "none" : rows->front().front();
}

}  // namespace

TEST_CASE("rehearsal: it never claims to be arizuko") {
  Directory directory;
  Process version(directory, {"--version"}, {});
  CHECK(version.wait() == 0);
  CHECK(version.output().contains("rehearsal, not arizuko"));
  Process gated(directory, {"gated"}, {});
  CHECK(gated.wait() == 1);
  CHECK(gated.errors().contains(R"("msg":"rehearsal of gated, not arizuko")"));
  Process unknown(directory, {"nobody"}, {});
  CHECK(unknown.wait() == 64);
}

TEST_CASE("environment: a missing needed variable ends the daemon with 1 and its name") {
  Directory directory;
  for (const auto* daemon : {"gated", "proxyd", "webd", "onbod"}) {
    Process process(directory, {daemon}, {{"CHANNEL_SECRET", "s"}});
    CHECK(process.wait() == 1);
    CHECK(process.errors().contains(R"("msg":"config")"));
    CHECK(process.errors().contains("HOST_APP_DIR"));
  }
  Process timed(directory, {"timed"}, {});
  CHECK(timed.wait() == 1);
  CHECK(timed.errors().contains(R"("msg":"DATABASE or DATA_DIR env required")"));
  Process teled(directory, {"teled"}, {{"ROUTER_URL", "http://127.0.0.1:1"}, {"TELEGRAM_BOT_TOKEN", "x"}});
  CHECK(teled.wait() == 1);
  CHECK(teled.errors().contains(" ERROR required env var missing key=CHANNEL_SECRET\n"));
  Process whapd(directory, {"whapd"}, {});
  CHECK(whapd.wait() == 1);
  CHECK(whapd.errors().contains(R"("level":"error","msg":"ROUTER_URL required")"));
}

TEST_CASE("environment: .env in the working directory fills what is unset and nothing else (T14)") {
  Directory directory;
  const int port = free_port();
  write(directory.path(".env"),
        fmt::format("CHANNEL_SECRET=from-file\nAPI_PORT={}\nHOST_APP_DIR=/x\n", port));
  Process gated(directory, {"gated"}, {{"DATA_DIR", directory.path("data")}, {"CHANNEL_SECRET", "from-env"}});
  REQUIRE(gated.says("arizuko running"));
  CHECK(get(port, "/v1/channels", "from-env").status == 200);
  CHECK(get(port, "/v1/channels", "from-file").status == 401);
}

TEST_CASE("gated: /health is 200 before it is ready, and the log line comes later (T2)") {
  Directory directory;
  const int port = free_port();
  auto variables = gated_variables(directory, port);
  variables["REHEARSAL_FAULTS"] = "hang-at-boot";
  Process gated(directory, {"gated"}, variables);
  REQUIRE(healthy(port));
  CHECK(get(port, "/health").body == R"({"status":"ok"})");
  CHECK_FALSE(gated.errors().contains("arizuko running"));
  CHECK(gated.stop() == 0);
  CHECK_FALSE(gated.errors().contains("arizuko running"));
}

TEST_CASE("gated: docker info is asked for only on demand, and its failure ends gated with 1 (T4)") {
  Directory directory;
  auto variables = gated_variables(directory, free_port());
  variables["REHEARSAL_DOCKER"] = "1";
  variables["PATH"] = directory.path("bin");
  Process absent(directory, {"gated"}, variables);
  CHECK(absent.wait() == 1);
  CHECK(absent.errors().contains(R"("msg":"gateway error")"));
  CHECK(absent.errors().contains("executable file not found in $PATH"));
  write(directory.path("bin/docker"), "#!/bin/sh\n[ $1 = ps ] && echo arizuko-Andy-left\necho $* >>calls\n");
  ::chmod(directory.path("bin/docker").c_str(), 0755);
  Process present(directory, {"gated"}, variables);
  CHECK(present.says("arizuko running"));
  CHECK(present.errors().contains(
      R"("msg":"stopped orphaned container","name":"arizuko-Andy-left","ok":true)"));
}

TEST_CASE("gated: with its port taken it runs on without an API (T1)") {
  Directory directory;
  TakenPort taken;
  Process gated(directory, {"gated"}, gated_variables(directory, taken.port));
  CHECK(gated.says("arizuko running"));
  CHECK(gated.errors().contains(R"("msg":"api server error")"));
  CHECK(gated.errors().contains("bind: address already in use"));
  CHECK(gated.stop() == 0);
}

TEST_CASE("gated: a start with AUTH_SECRET deletes plaintext secrets (T16)") {
  Directory directory;
  auto variables = gated_variables(directory, free_port());
  {
    Process gated(directory, {"gated"}, variables);
    REQUIRE(gated.says("arizuko running"));
    CHECK(one_value(directory, "PRAGMA journal_mode") == "wal");
    CHECK(one_value(directory,
                    "INSERT INTO secrets VALUES ('g','main','A','plain'),('g','main','B','v1:x')") == "none");
    CHECK(gated.stop() == 0);
  }
  variables["AUTH_SECRET"] = "key";
  Process gated(directory, {"gated"}, variables);
  REQUIRE(gated.says("arizuko running"));
  CHECK(one_value(directory, "SELECT group_concat(value) FROM secrets") == "v1:x");
}

TEST_CASE("store: the data of a real instance is refused, not touched") {
  Directory directory;
  std::filesystem::create_directories(directory.path("data/store"));
  {
    auto foreign = Store::open(directory.path("data/store/messages.db"), StoreUse::Private);
    REQUIRE(foreign);
    REQUIRE(foreign->run("CREATE TABLE secrets (value TEXT)"));
  }
  auto variables = gated_variables(directory, free_port());
  variables["AUTH_SECRET"] = "key";
  Process gated(directory, {"gated"}, variables);
  CHECK(gated.wait() == 1);
  CHECK(gated.errors().contains("not a rehearsal's database"));
}

TEST_CASE(
    "port taken: timed and onbod run on, dashd, proxyd and webd exit 1, an adapter registers first (T7)") {
  Directory directory;
  TakenPort taken;
  const int port = free_port();
  auto variables = gated_variables(directory, port);
  Process gated(directory, {"gated"}, variables);
  REQUIRE(gated.says("arizuko running"));
  const auto number = std::to_string(taken.port), address = fmt::format("127.0.0.1:{}", taken.port);
  const auto with = [&](Variables more) {
    more.insert(variables.begin(), variables.end());
    more["ROUTER_URL"] = fmt::format("http://127.0.0.1:{}", port);
    return more;
  };
  Process timed(directory, {"timed"}, with({{"REHEARSAL_TIMED_PORT", number}}));
  CHECK(timed.says("timed running"));
  CHECK(timed.errors().contains(R"("msg":"health server")"));
  Process onbod(directory, {"onbod"}, with({{"ONBOD_LISTEN_ADDR", address}}));
  CHECK(onbod.says("onbod running"));
  CHECK(onbod.errors().contains(R"("msg":"http server error")"));
  Process dashd(directory, {"dashd"}, with({{"DASH_PORT", number}}));
  CHECK(dashd.wait() == 1);
  Process proxyd(directory, {"proxyd"}, with({{"PROXYD_LISTEN", number}}));
  CHECK(proxyd.wait() == 1);
  CHECK(proxyd.errors().contains(R"("msg":"proxyd failed")"));
  Process webd(directory, {"webd"}, with({{"WEBD_LISTEN", address}}));
  CHECK(webd.wait() == 1);
  CHECK(webd.errors().contains(R"("msg":"listen failed")"));
  auto teled_has = teled_variables(directory, port, taken.port);
  Process teled(directory, {"teled"}, teled_has);
  CHECK(teled.wait() == 1);
  CHECK(get(port, "/v1/channels", "sesame").body.contains(R"("name":"telegram")"));
}

TEST_CASE("timed: on an empty database it finds no tables and stays up with /health ok") {
  Directory directory;
  std::filesystem::create_directories(directory.path("data/store"));
  const int port = free_port();
  Process timed(directory, {"timed"},
                {{"DATA_DIR", directory.path("data")}, {"REHEARSAL_TIMED_PORT", std::to_string(port)}});
  REQUIRE(healthy(port));
  CHECK(timed.says("no such table"));
  CHECK(get(port, "/health").body == "ok");
  CHECK(timed.stop() == 0);
}

TEST_CASE("onbod: ONBOARDING_ENABLED=0 is exit 0, and false is not (T35)") {
  Directory directory;
  std::filesystem::create_directories(directory.path("data/store"));
  auto variables = gated_variables(directory, 1);
  variables["ONBOD_LISTEN_ADDR"] = fmt::format("127.0.0.1:{}", free_port());
  variables["ONBOARDING_ENABLED"] = "0";
  Process off(directory, {"onbod"}, variables);
  CHECK(off.wait() == 0);
  variables["ONBOARDING_ENABLED"] = "false";
  Process on(directory, {"onbod"}, variables);
  CHECK(on.says("onbod running"));
}

TEST_CASE("adapters: without gated a Go adapter exits 1 at once (T5), whapd tries again") {
  Directory directory;
  const int nobody = free_port();
  Process teled(directory, {"teled"}, teled_variables(directory, nobody, free_port()));
  CHECK(teled.wait() == 1);
  CHECK(teled.errors().contains("connect: connection refused"));
  auto variables = teled_variables(directory, nobody, free_port());
  Process whapd(directory, {"whapd"}, variables);
  CHECK(whapd.says(R"("level":"warn","msg":"register failed, retrying")"));
  CHECK(whapd.running());
  CHECK(whapd.stop() == 128 + SIGTERM);  // its handlers come only after connect
}

TEST_CASE("adapters: a wrong CHANNEL_SECRET is 401 and exit 1") {
  Directory directory;
  const int port = free_port();
  Process gated(directory, {"gated"}, gated_variables(directory, port));
  REQUIRE(gated.says("arizuko running"));
  auto variables = teled_variables(directory, port, free_port());
  variables["CHANNEL_SECRET"] = "wrong";
  Process teled(directory, {"teled"}, variables);
  CHECK(teled.wait() == 1);
  CHECK(teled.errors().contains("status 401"));
}

TEST_CASE("adapters: a message posted to one reaches gated's database, and SIGTERM deregisters") {
  Directory directory;
  const int port = free_port(), adapter_port = free_port();
  Process gated(directory, {"gated"}, gated_variables(directory, port));
  REQUIRE(gated.says("arizuko running"));
  Process teled(directory, {"teled"}, teled_variables(directory, port, adapter_port));
  REQUIRE(healthy(adapter_port));
  const auto reply =
      post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"hello","sender":"ada","jid":"telegram:7"})");
  CHECK(reply.status == 200);
  CHECK(one_value(directory,
                  "SELECT sender||' '||content||' '||source FROM messages WHERE chat_jid='telegram:7'") ==
        "ada hello telegram");
  CHECK(
      post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"x","jid":"discord:7"})").body.contains("400"));
  CHECK(teled.stop() == 0);
  CHECK(get(port, "/v1/channels", "sesame").body.contains(R"("channels":[])"));
}

TEST_CASE("adapters: after a gated restart nothing goes out until the next inbound registers again (T6)") {
  Directory directory;
  const int port = free_port(), adapter_port = free_port();
  auto gated = std::make_unique<Process>(directory, std::vector<std::string>{"gated"},
                                         gated_variables(directory, port));
  REQUIRE(gated->says("arizuko running"));
  Process teled(directory, {"teled"}, teled_variables(directory, port, adapter_port));
  REQUIRE(healthy(adapter_port));
  constexpr auto out = R"({"jid":"telegram:7","text":"reply"})";
  CHECK(post(port, "/v1/outbound", out, "sesame").status == 200);
  CHECK(get(adapter_port, "/v1/rehearsal/outbound").body.contains("reply"));
  gated->signal(SIGKILL);
  CHECK(gated->wait() == 128 + SIGKILL);
  gated = std::make_unique<Process>(directory, std::vector<std::string>{"gated"},
                                    gated_variables(directory, port));
  REQUIRE(gated->says("arizuko running"));
  CHECK(post(port, "/v1/outbound", out, "sesame").body.contains("pending"));
  CHECK(post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"again"})").status == 200);
  CHECK(teled.says("registered again"));
  CHECK(post(port, "/v1/outbound", out, "sesame").status == 200);
}

TEST_CASE(
    "gated: a channel whose health fails three times is deregistered, and its recovery changes nothing "
    "(T41)") {
  Directory directory;
  const int port = free_port(), adapter_port = free_port();
  auto variables = gated_variables(directory, port);
  variables["REHEARSAL_HEALTH_MS"] = "20";
  Process gated(directory, {"gated"}, variables);
  REQUIRE(gated.says("arizuko running"));
  Process teled(directory, {"teled"}, teled_variables(directory, port, adapter_port));
  REQUIRE(healthy(adapter_port));
  REQUIRE(post(adapter_port, "/v1/rehearsal/fault", "health-503").status == 200);
  CHECK(gated.says(R"("msg":"channel auto-deregistered","channel":"telegram","fails":3)"));
  CHECK(gated.errors().contains(R"("msg":"channel health failed","channel":"telegram","fails":1)"));
  REQUIRE(post(adapter_port, "/v1/rehearsal/fault", "").status == 200);
  REQUIRE(healthy(adapter_port));
  CHECK(get(port, "/v1/channels", "sesame").body.contains(R"("channels":[])"));
  CHECK(post(port, "/v1/outbound", R"({"jid":"telegram:7","text":"x"})", "sesame").body.contains("pending"));
  CHECK(post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"again"})").status == 200);
  CHECK(get(port, "/v1/channels", "sesame").body.contains(R"("name":"telegram")"));
}

TEST_CASE("gated: a failed turn of the local chat is a message that starts the next one at once (T40)") {
  Directory directory;
  auto variables = gated_variables(directory, free_port());
  variables["REHEARSAL_AGENTS"] = "1";
  variables["PATH"] = directory.path("bin") + ":/usr/bin:/bin";
  write(directory.path("bin/docker"), "#!/bin/sh\nexit 125\n");
  ::chmod(directory.path("bin/docker").c_str(), 0755);
  Process gated(directory, {"gated"}, variables);
  REQUIRE(gated.says("arizuko running"));
  REQUIRE(one_value(directory,
                    "INSERT INTO messages (id, chat_jid, sender, content, source)"
                    " VALUES ('1', 'main', 'timed', 'rehearse', 'timed')") == "none");
  CHECK(eventually([&] {
    const auto failed =
        one_value(directory, "SELECT count(*) FROM messages WHERE content LIKE 'Failed: agent error%'");
    return failed.size() > 1 && !failed.starts_with("error");  // ten at least
  }));
  CHECK(gated.errors().contains("circuit breaker open - too many consecutive failures"));
}

TEST_CASE("adapters: with gated down teled keeps a message and discd loses it (T37)") {
  Directory directory;
  const int port = free_port(), teled_port = free_port(), discd_port = free_port();
  auto gated = std::make_unique<Process>(directory, std::vector<std::string>{"gated"},
                                         gated_variables(directory, port));
  REQUIRE(gated->says("arizuko running"));
  Process teled(directory, {"teled"}, teled_variables(directory, port, teled_port));
  auto variables = teled_variables(directory, port, discd_port);
  variables["DISCORD_BOT_TOKEN"] = "x";
  Process discd(directory, {"discd"}, variables);
  REQUIRE(healthy(teled_port));
  REQUIRE(healthy(discd_port));
  gated->signal(SIGKILL);
  gated->wait();
  CHECK(post(teled_port, "/v1/rehearsal/inbound", R"({"text":"kept"})").body.contains(R"("message":"kept")"));
  CHECK(post(discd_port, "/v1/rehearsal/inbound", R"({"text":"lost"})").body.contains(R"("message":"lost")"));
  gated = std::make_unique<Process>(directory, std::vector<std::string>{"gated"},
                                    gated_variables(directory, port));
  REQUIRE(gated->says("arizuko running"));
  CHECK(eventually(
      [&] { return one_value(directory, "SELECT group_concat(content) FROM messages") == "kept"; }));
}

TEST_CASE("adapters: twitd without login data stays up and disconnected, and its messages get 400") {
  Directory directory;
  const int port = free_port(), adapter_port = free_port();
  Process gated(directory, {"gated"}, gated_variables(directory, port));
  REQUIRE(gated.says("arizuko running"));
  Process twitd(directory, {"twitd"}, teled_variables(directory, port, adapter_port));
  REQUIRE(twitd.says("no login data"));
  CHECK(get(adapter_port, "/health").status == 503);
  CHECK(post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"x"})").body.contains("400"));
  CHECK(twitd.stop() == 0);
}

TEST_CASE("adapters: every one of the ten gets healthy with its own variables") {
  Directory directory;
  const int port = free_port();
  Process gated(directory, {"gated"}, gated_variables(directory, port));
  REQUIRE(gated.says("arizuko running"));
  const Variables tokens{
      {"DISCORD_USER_TOKEN", "x"},   {"SLACK_BOT_TOKEN", "x"},        {"SLACK_SIGNING_SECRET", "x"},
      {"EMAIL_IMAP_HOST", "x"},      {"EMAIL_SMTP_HOST", "x"},        {"EMAIL_ACCOUNT", "x"},
      {"EMAIL_PASSWORD", "x"},       {"MASTODON_INSTANCE_URL", "x"},  {"MASTODON_ACCESS_TOKEN", "x"},
      {"BLUESKY_IDENTIFIER", "x"},   {"BLUESKY_PASSWORD", "x"},       {"REDDIT_CLIENT_ID", "x"},
      {"REDDIT_CLIENT_SECRET", "x"}, {"REDDIT_USERNAME", "x"},        {"REDDIT_PASSWORD", "x"},
      {"LINKEDIN_CLIENT_ID", "x"},   {"LINKEDIN_CLIENT_SECRET", "x"}, {"LINKEDIN_ACCESS_TOKEN", "x"},
      {"TWITTER_USERNAME", "x"},     {"TWITTER_PASSWORD", "x"}};
  for (const auto* daemon :
       {"teled", "discd", "slakd", "emaid", "mastd", "bskyd", "reditd", "linkd", "whapd", "twitd"}) {
    CAPTURE(daemon);
    const int adapter_port = free_port();
    auto variables = teled_variables(directory, port, adapter_port);
    variables.insert(tokens.begin(), tokens.end());
    Process adapter(directory, {daemon}, variables);
    CHECK(healthy(adapter_port));
    CHECK(adapter.stop() == 0);
  }
}

TEST_CASE("onbod: a chat is marked as prompted before the prompt is sent, so a lost one is lost (T11)") {
  Directory directory;
  const int port = free_port(), adapter_port = free_port();
  Process gated(directory, {"gated"}, gated_variables(directory, port));
  REQUIRE(gated.says("arizuko running"));
  auto teled = std::make_unique<Process>(directory, std::vector<std::string>{"teled"},
                                         teled_variables(directory, port, adapter_port));
  REQUIRE(healthy(adapter_port));
  REQUIRE(post(adapter_port, "/v1/rehearsal/inbound", R"({"text":"hi","jid":"telegram:new"})").status == 200);
  teled->stop();
  auto variables = gated_variables(directory, port);
  variables["ROUTER_URL"] = fmt::format("http://127.0.0.1:{}", port);
  variables["ONBOD_LISTEN_ADDR"] = fmt::format("127.0.0.1:{}", free_port());
  variables["ONBOARD_POLL_INTERVAL"] = "20ms";
  Process onbod(directory, {"onbod"}, variables);
  CHECK(onbod.says("onboarding prompt failed"));
  CHECK(one_value(directory, "SELECT status FROM onboarding WHERE jid='telegram:new'") == "prompted");
}

TEST_CASE("proxyd: routes come from the table once it has any, and the variable is ignored (T10)") {
  Directory directory;
  const int port = free_port(), dash = free_port();
  auto variables = gated_variables(directory, 1);
  variables["PROXYD_LISTEN"] = std::to_string(port);
  const auto routes = [](int backend, std::string_view auth) {
    return fmt::format(R"([{{"path":"/dash/","backend":"http://127.0.0.1:{}","auth":"{}"}},)"
                       R"({{"path":"/mine/","backend":"http://127.0.0.1:{}","auth":"user"}}])",
                       backend, auth, backend);
  };
  variables["PROXYD_ROUTES_JSON"] = routes(1, "everybody");
  Process refused(directory, {"proxyd"}, variables);
  CHECK(refused.wait() == 1);
  CHECK(refused.errors().contains("unknown auth"));
  variables["PROXYD_ROUTES_JSON"] = routes(dash, "public");
  Process dashd(directory, {"dashd"},
                {{"DATA_DIR", directory.path("data")}, {"DASH_PORT", std::to_string(dash)}});
  REQUIRE(healthy(dash));
  {
    Process proxyd(directory, {"proxyd"}, variables);
    REQUIRE(healthy(port));
    CHECK(get(port, "/dash/").status == 401);  // dashd's answer: proxyd drops what outside claims
    CHECK(get(port, "/mine/").status == 404);  // AUTH_SECRET is empty
    CHECK(proxyd.says(R"("msg":"request","method":"GET","path":"/health","status":200)"));
    CHECK(proxyd.stop() == 0);
  }
  variables["PROXYD_ROUTES_JSON"] = routes(1, "nonsense");
  variables["AUTH_SECRET"] = "key";
  Process proxyd(directory, {"proxyd"}, variables);
  REQUIRE(healthy(port));
  CHECK(get(port, "/dash/").status == 401);
  CHECK(get(port, "/mine/").status == 302);
}

TEST_CASE("proxyd: with a vhost * its /health is vite's answer (T30)") {
  Directory directory;
  const int port = free_port();
  auto variables = gated_variables(directory, 1);
  variables["PROXYD_LISTEN"] = std::to_string(port);
  write(directory.path("data/web/vhosts.json"), R"({"*":"main"})");
  Process proxyd(directory, {"proxyd"}, variables);
  REQUIRE(proxyd.says("proxyd running"));
  CHECK(get(port, "/health").status == 502);
}

TEST_CASE("logs: ttsd writes logfmt and is 503 while its backend is down") {
  Directory directory;
  const int port = free_port();
  Process ttsd(directory, {"ttsd"}, {{"TTSD_ADDR", fmt::format("127.0.0.1:{}", port)}});
  REQUIRE(ttsd.says("level=INFO msg=\"ttsd running\" addr=127.0.0.1:"));
  CHECK(get(port, "/health").status == 503);
  CHECK(ttsd.stop() == 0);
}

TEST_CASE("signals: SIGUSR1 and SIGUSR2 are dropped, SIGHUP kills, SIGQUIT is exit 2") {
  Directory directory;
  const auto start = [&] {
    return std::make_unique<Process>(directory, std::vector<std::string>{"gated"},
                                     gated_variables(directory, free_port()));
  };
  auto gated = start();
  REQUIRE(gated->says("arizuko running"));
  gated->signal(SIGUSR1);
  gated->signal(SIGUSR2);
  gated->signal(SIGHUP);
  CHECK(gated->wait() == 128 + SIGHUP);
  gated = start();
  REQUIRE(gated->says("arizuko running"));
  gated->signal(SIGQUIT);
  CHECK(gated->wait() == 2);
  gated = start();
  REQUIRE(gated->says("arizuko running"));
  gated->signal(SIGINT);
  CHECK(gated->wait() == 0);
}
