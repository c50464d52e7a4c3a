// The parts that are text in, value out.
#include "chats.hpp"
#include "config.hpp"
#include "docker.hpp"
#include "faults.hpp"
#include "line.hpp"
#include "registry.hpp"
#include "routes.hpp"
#include "tokens.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

using namespace rehearsal;

TEST_CASE("addresses: Go's forms are taken, and its words used for what is none") {
  CHECK(parse_go_address(":9001")->host.empty());
  CHECK(parse_go_address("127.0.0.1:9001")->host == "127.0.0.1");
  CHECK(parse_go_address("[::1]:9001")->host == "::1");
  CHECK(parse_go_address("9001").error().ends_with("missing port in address"));
  CHECK(parse_go_address(":1:2").error().ends_with("too many colons in address"));
  CHECK(parse_go_address(":70000").error().ends_with("invalid port"));
  CHECK(parse_node_address(":9007")->host == "0.0.0.0");
}

TEST_CASE("addresses: dashd and proxyd take 8080 and :8080 and break on host:port") {
  CHECK(parse_port_or_colon("8080")->port == 8080);
  CHECK(parse_port_or_colon(":8080")->port == 8080);
  CHECK_FALSE(parse_port_or_colon("127.0.0.1:8080"));
}

TEST_CASE("addresses: a URL's port is 80 and its path / unless it says more") {
  CHECK(parse_url("http://127.0.0.1")->port == 80);
  CHECK(parse_url("http://127.0.0.1:9081/a?b")->path == "/a?b");
  CHECK_FALSE(parse_url("https://127.0.0.1"));
  CHECK_FALSE(parse_url("http://"));
}

TEST_CASE("dotenv: quotes, export, comments and CRLF are read as godotenv reads them") {
  const auto pairs =
      parse_dotenv("# no\r\nexport A=1\r\nB=\"x\\ny\" # tail\nC='raw \\n'\nD=plain # tail\n9X=no\nbad\nE=\n");
  REQUIRE(pairs.size() == 5);
  CHECK(pairs[0] == std::pair<std::string, std::string>{"A", "1"});
  CHECK(pairs[1].second == "x\ny");
  CHECK(pairs[2].second == "raw \\n");
  CHECK(pairs[3].second == "plain");
  CHECK(pairs[4].second.empty());
}

TEST_CASE("durations: Go's 1h30m is read, 10 and 10x are not") {
  CHECK(parse_go_duration("1h30m") == std::chrono::minutes(90));
  CHECK(parse_go_duration("250ms") == std::chrono::milliseconds(250));
  CHECK_FALSE(parse_go_duration("10"));
  CHECK_FALSE(parse_go_duration("10x"));
}

TEST_CASE("faults: every line of the help's vocabulary parses, and bad ones are named") {
  const auto parsed = parse_faults(
      "crash\nexit 3\nflood 10\nflood 10 500 # long\n grow 5\nflee\nflee-clean-env\norphans 9\nhang-health\n"
      "health-503\nignore-term\nslow-stop 5\nauth-lost\nrefuse KEY value\ncrash-at-boot\nexit-at-boot "
      "75\nhang-at-boot\nno-listen\n"
      "slow-boot 10\nlogin-hang\nafter 50 crash\n");
  CHECK(parsed.errors.empty());
  CHECK(parsed.faults.size() == 21);
  CHECK(parse_faults("crash,slow-boot 5", ',').faults.size() == 2);
  for (const auto* line :
       {"bogus", "exit", "exit x", "exit 256", "refuse KEY", "crash now", "after 5 ignore-term"}) {
    CHECK_MESSAGE(parse_faults(line).errors.size() == 1, line);
  }
}

TEST_CASE("routes: what proxyd refuses is refused, the longest prefix wins") {
  CHECK(parse_routes(R"([{"path":"/a/","backend":"http://127.0.0.1:1","auth":"root"}])")
            .error()
            .contains("unknown auth"));
  CHECK_FALSE(parse_routes(R"([{"path":"a","backend":"http://127.0.0.1:1","auth":"user"}])"));
  CHECK_FALSE(parse_routes(R"([{"path":"/a","backend":"","auth":"user"}])"));
  CHECK_FALSE(parse_routes("{"));
  const std::string one = R"({"path":"/a/","backend":"http://127.0.0.1:1","auth":"public"})";
  CHECK(parse_routes("[" + one + "," + one + "]").error().contains("duplicate"));
  const auto routes =
      parse_routes("[" + one + R"(,{"path":"/a/b/","backend":"http://127.0.0.1:2","auth":"user"}])");
  REQUIRE(routes);
  CHECK(match_route(*routes, "/a/b/c")->path == "/a/b/");
  CHECK(match_route(*routes, "/a/x")->path == "/a/");
  CHECK(match_route(*routes, "/") == nullptr);
}

TEST_CASE("registry: the same name replaces from the same address and is refused from another (T8)") {
  Registry registry;
  Channel channel{"telegram", "http://127.0.0.1:1", "t1", "127.0.0.1", {"telegram:"}, {}, 0};
  CHECK(registry.put(channel));
  channel.token = "t2";
  CHECK(registry.put(channel));
  CHECK(registry.by_token("t1") == nullptr);
  CHECK(registry.by_jid("telegram:5")->token == "t2");
  CHECK(registry.by_jid("discord:5") == nullptr);
  CHECK(registry.by_token("") == nullptr);
  channel.source_ip = "10.0.0.9";
  CHECK_FALSE(registry.put(channel));
}

TEST_CASE("chats: one turn a chat, so many at a time, and a slot that steering gave away is a second turn") {
  rehearsal::Chats chats(2);
  const auto first = chats.begin("a", "one");
  REQUIRE(first);
  CHECK_FALSE(chats.begin("a", "again"));
  REQUIRE(chats.begin("b", "two"));
  CHECK_FALSE(chats.begin("c", "three"));
  CHECK(chats.take_waiting().empty());
  chats.forget("a");
  CHECK_FALSE(chats.container("a"));
  const auto second = chats.begin("a", "beside");
  REQUIRE(second);
  CHECK(chats.end("a", *first, false) == 1);
  CHECK(chats.container("a") == "beside");
  CHECK(chats.end("a", *second, false) == 2);
  CHECK(chats.take_waiting() == std::vector<std::string>{"c"});
}

TEST_CASE("chats: the breaker opens after three failures and the next message closes it: it brakes nothing") {
  rehearsal::Chats chats(1);
  for (unsigned failures = 1; failures <= rehearsal::breaker_opens_at; ++failures) {
    CHECK(chats.reset_breaker("a") == 0);
    const auto turn = chats.begin("a", "x");
    REQUIRE(turn);
    CHECK(chats.end("a", *turn, false) == failures);
  }
  CHECK(chats.reset_breaker("a") == 3);
  CHECK(chats.begin("a", "x"));
}

TEST_CASE(
    "line: it is today's as soon as a variable is there that only today's arizuko reads, unless one says "
    "otherwise") {
  const auto of = [](std::map<std::string, std::string> set) {
    return line_of([&](const std::string& key) -> std::optional<std::string> {
      const auto found = set.find(key);
      return found == set.end() ? std::nullopt : std::optional(found->second);
    });
  };
  CHECK(of({}) == Line::Gated);
  CHECK(of({{"CHANNEL_SECRET", "x"}, {"HOST_APP_DIR", "/x"}, {"AUTHD_URL", ""}}) == Line::Gated);
  for (const auto* key : {"AUTHD_URL", "AUTHD_SERVICE_KEY", "APP_SRC_DIR"})
    CHECK(of({{key, "x"}}) == Line::Today);
  CHECK(of({{"REHEARSAL_LINE", "today"}}) == Line::Today);
  CHECK(of({{"REHEARSAL_LINE", "gated"}, {"AUTHD_URL", "x"}}) == Line::Gated);
}

TEST_CASE(
    "authd: an empty key is skipped, the last of two principals with one key has it, a '=' breaks its entry "
    "(N1)") {
  const auto held =
      parse_service_keys("service:routd=r,service:runed=,service:teled=t,service:slakd=t,service:discd=a=b");
  CHECK(held == std::map<std::string, std::string>{{"r", "service:routd"}, {"t", "service:slakd"}});
  CHECK(parse_service_keys("").empty());
}

TEST_CASE("authd: the principals it knows are the daemons, not the channels") {
  for (const auto* name : {"service:teled", "service:proxyd", "service:routd"}) CHECK(knows_principal(name));
  for (const auto* name : {"service:telegram", "teled", "service:"}) CHECK_FALSE(knows_principal(name));
}

TEST_CASE("authd: a token is good until its end, and for the key that signed it") {
  const auto token = make_token("key", "service:teled", 1000);
  CHECK(principal_of(token, "key", 999) == "service:teled");
  CHECK_FALSE(principal_of(token, "key", 1000));
  CHECK_FALSE(principal_of(token, "other", 999));
  CHECK_FALSE(principal_of(token, "", 999));
  CHECK_FALSE(principal_of(token + "0", "key", 999));
  for (const auto* none : {"", ".", "..", "a.b.c.d", "service:teled"})
    CHECK_FALSE(principal_of(none, "key", 0));
}

TEST_CASE("docker: the two lines mount different things, and runed hands over three variables") {
  Config config;
  config.data_dir = "/d";
  config.host_app_dir = "/app";
  config.container_image = "ant";
  const auto has = [](const std::vector<std::string>& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
  };
  const auto gated = run_arguments(config, Line::Gated, "main", "c");
  CHECK(has(gated, "/d/ipc/main:/workspace/ipc"));
  CHECK(has(gated, "/app:/workspace/self:ro"));
  CHECK(std::ranges::count(gated, "-e") == 1);
  const auto today = run_arguments(config, Line::Today, "main", "c");
  for (const auto* mount : {"/d/groups/main:/home/node", "/d/app-src:/opt/arizuko:ro",
                            "/d/groups/main/share:/var/lib/share", "/d/ipc/main:/run/ipc"})
    CHECK(has(today, mount));
  CHECK(std::ranges::count(today, "-e") == 3);
  CHECK_FALSE(has(today, "/app:/workspace/self:ro"));
  CHECK(today.back() == "ant");
}
