// The resolved plan as people and programs read it.
#include <doctest/doctest.h>

#include "arizuko/plan/show.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

Condition condition(const std::string& text) {
  const auto plan = load_text("[service.a]\ncommand = [\"a\"]\nready." + text + "\n");
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  return plan->services.at(0).ready.at(0);
}

}  // namespace

TEST_CASE("plan: a duration is shown in its shortest form, which the parser reads back") {
  const std::vector<std::pair<std::int64_t, std::string>> cases{
      {0, "0s"},         {1, "1ms"},           {250, "250ms"},    {1000, "1s"},
      {90'000, "1m30s"}, {90'001, "1m30s1ms"}, {7'200'000, "2h"}, {86'400'000, "24h"}};
  for (const auto& [milliseconds, text] : cases) {
    CHECK(to_text(Duration{milliseconds}) == text);
    const auto plan = load_text("[pod]\ngrace = \"" + text + "\"\n");
    REQUIRE(plan);
    CHECK(plan->pod.grace == Duration{milliseconds});
  }
}

TEST_CASE("plan: a size is shown in its shortest form, which the parser reads back") {
  const std::vector<std::pair<std::uint64_t, std::string>> cases{{1ULL << 20, "1Mi"},
                                                                 {1536ULL << 20, "1536Mi"},
                                                                 {2ULL << 30, "2Gi"},
                                                                 {1025ULL << 10, "1025Ki"},
                                                                 {1ULL << 50, "1024Ti"}};
  for (const auto& [bytes, text] : cases) {
    CHECK(size_text(bytes) == text);
    const auto plan = load_text("[service.a]\ncommand = [\"a\"]\nmemory_max = \"" + text + "\"\n");
    REQUIRE(plan);
    CHECK(plan->services.at(0).group.memory_max == bytes);
  }
  CHECK(size_text(1000) == "1000 bytes");
  CHECK(size_text(0) == "0 bytes");
}

TEST_CASE("show: the user and the umask of a service are shown where it has its own") {
  const auto plan = load_text(
      "[pod]\numask = \"077\"\n[service.a]\ncommand = [\"a\"]\nuser = \"1000:1001\"\n[service.b]\n"
      "command = [\"b\"]\numask = \"022\"\n");
  REQUIRE(plan);
  const std::string text = to_text(*plan);
  CHECK(text.contains("  user        1000:1001\n"));
  CHECK(text.contains("  umask       077\n"));
  CHECK(plan->services.at(1).umask == 022U);
  CHECK(to_json(*plan).contains("\"user\": \"1000:1001\",\n"));
  CHECK(to_json(*plan).contains("\"umask\": \"077\""));
}

TEST_CASE("plan: limits of a control group are shown, and tell two services apart") {
  const std::string head = "[service.a]\ncommand = [\"a\"]\n";
  const auto plan = load_text(head + "memory_high = \"256Mi\"\nmemory_max = \"512Mi\"\npids_max = 100\n");
  REQUIRE(plan);
  CHECK(to_text(*plan).find("  limits      memory_high 256Mi, memory_max 512Mi, pids_max 100\n") !=
        std::string::npos);
  CHECK(to_json(*plan).find("\"memory_max\": \"512Mi\",\n") != std::string::npos);
  CHECK_FALSE(plan->services == load_text(head)->services);
}

TEST_CASE("plan: a condition is one short line") {
  CHECK(to_text(condition("http = { url = \"http://[::1]/x?y#z\", contains = \"o\\\"k\", wait = \"3s\" }")) ==
        "http http://[::1]/x?y#z contains \"o\\\"k\", dropped after 3s");
  CHECK(std::get<HttpCheck>(condition("http = \"http://[::1]/x?y#z\"").check) ==
        HttpCheck{"http://[::1]/x?y#z", "::1", 80, "/x?y", {}, Listener::own});
  CHECK(std::get<HttpCheck>(condition("http = \"http://127.0.0.1:81?y\"").check).path == "/?y");
  CHECK(to_text(condition("tcp = { address = \"[::ffff:1.2.3.4]:80\", listener = \"any\" }")) ==
        "tcp [::ffff:1.2.3.4]:80 (any listener)");
  CHECK(to_text(condition(
            "http = { url = \"http://127.0.0.1:80/\", method = \"POST\", status = [204, \"400-499\"] }")) ==
        "http POST http://127.0.0.1:80/ answers 204, 400-499");
  CHECK(to_text(condition("socket = \"/run/x.sock\"")) == "socket /run/x.sock");
  CHECK(to_text(condition("log = { contains = \"up\" }")) == "log \"up\"");
  CHECK(to_text(condition("notify = true")) == "notify");
  CHECK(to_text(condition("exec = [\"test\", \"-e\", \"a b\"]")) == "exec test -e \"a b\"");
  CHECK(to_text(condition("file = \"/x\"")) == "file /x");
}

TEST_CASE("plan: the listing shows what was understood") {
  const auto plan = load_text(
      "[service.a]\ncommand = [\"a\", \"two words\"]\nport = 80\nessential = true\nenabled_when = [\"T\"]\n"
      "env = { U = \"${X:-y}\" }\nready.tcp = \"127.0.0.1:80\"\non_change = \"signal:HUP\"\n");
  REQUIRE(plan);
  CHECK(to_text(*plan) ==
        "pod demo\n"
        "  data_dir    /srv/data/arizuko_demo\n"
        "  probes      0.0.0.0:9090\n"
        "  page        127.0.0.1:9091\n"
        "  ready_when  a\n"
        "  grace       40s\n"
        "\n"
        "env\n"
        "  sources     environment\n"
        "\n"
        "service a :80 essential\n"
        "  command     a \"two words\"\n"
        "  cwd         /srv/data/arizuko_demo/.arizuko-init/cwd\n"
        "  enabled     T\n"
        "  env         U=\"${X:-y}\"\n"
        "  ready       tcp 127.0.0.1:80\n"
        "  within      1m\n"
        "  restart     always, 500ms to 1m, 10 in 10m: end-pod\n"
        "  on_change   signal:HUP\n"
        "  stop        TERM, 10s + 2s\n");
}

TEST_CASE("plan: the JSON form is stable, escaped and valid whatever the text") {
  const auto plan = load_text("[service.a]\ncommand = [\"a\\u001b\\\"\\\\\\n\"]\nport = 80\nuser = \"1:2\"\n",
                              {{"pod.instance", "i"}}, {});
  REQUIRE(plan);
  const auto json = to_json(*plan);
  CHECK(json.starts_with("{\n  \"pod\": {\n    \"instance\": \"i\",\n"));
  CHECK(json.find("\"command\": [\"a\\u001b\\\"\\\\\\n\"],\n") != std::string::npos);
  CHECK(json.find("\"port\": 80,\n") != std::string::npos);
  CHECK(json.find("\"user\": \"1:2\",\n") != std::string::npos);
  CHECK(json.ends_with("  \"warnings\": []\n}\n"));
  const auto odd = load_text("[pod]\ndata_dir = \"${D}\"\n", {}, {{"D", "/srv/\xff\xc3\xa4"}});
  REQUIRE(odd);
  CHECK(to_json(*odd).find("\"data_dir\": \"/srv/\xef\xbf\xbd\xc3\xa4\"") != std::string::npos);
}

TEST_CASE("plan: no value of the environment is shown for a service") {
  const auto plan =
      load_text("[service.a]\ncommand = [\"a\"]\nenv = { U = \"${X:-y}\" }\n", {}, {{"X", "S3CRET"}});
  REQUIRE(plan);
  CHECK(to_text(*plan).find("S3CRET") == std::string::npos);
  CHECK(to_json(*plan).find("S3CRET") == std::string::npos);
}

TEST_CASE("plan: two services are equal wherever they stand") {
  const auto one = load_text("[service.a]\ncommand = [\"a\"]\n");
  const auto other = load_text("\n\n[service.a]\ncommand = [\"a\"]\n");
  const auto different = load_text("[service.a]\ncommand = [\"a\"]\nnofile = 20\n");
  CHECK(one->services == other->services);
  CHECK_FALSE(one->services == different->services);
}

TEST_CASE("plan: no value of a header is shown, by name or by letter, in any form of the plan") {
  const auto plan = load_text(
      "[service.gated]\ncommand = [\"gated\"]\nport = 9080\n"
      "[service.teled]\ncommand = [\"teled\"]\nneed = [\"CHANNEL_SECRET\"]\n"
      "env = { CHANNEL_NAME = \"telegram\" }\n"
      "[service.teled.live]\n"
      "http = [\"http://127.0.0.1:1/\", { url = \"${gated.url}/v1/channels\", of = \"gated\", while = "
      "\"ready\", "
      "contains = '\"name\":\"${CHANNEL_NAME}\"', headers = { Authorization = \"Bearer ${CHANNEL_SECRET}\", "
      "X-Key = \"letters\" } }]\n",
      {}, {{"CHANNEL_SECRET", "hidden"}});
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  const Service& teled = plan->services.at(*plan->find("teled"));
  REQUIRE(teled.live.size() == 2);
  CHECK(to_text(teled.live[1]) ==
        "http http://127.0.0.1:9080/v1/channels of gated with Authorization, X-Key contains "
        "\"\\\"name\\\":\\\"${CHANNEL_NAME}\\\"\", while ready");
  const auto& check = std::get<HttpCheck>(teled.live[1].check);
  CHECK(check.headers.at(0).second.parts.size() == 2);
  CHECK(teled.live[1].looked_at == LookedAt::while_ready);
  for (const std::string& shown : {to_text(*plan), to_json(*plan)}) {
    CHECK(shown.find("hidden") == std::string::npos);
    CHECK(shown.find("letters") == std::string::npos);
    CHECK(shown.find("Bearer") == std::string::npos);
    CHECK(shown.find("Authorization") != std::string::npos);
  }
}

}  // namespace arizuko::plan
