// Where each key of a service comes from.
#include <doctest/doctest.h>

#include "arizuko/plan/explain.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

const std::vector<File> files{
    {"p.toml",
     "[service.gated]\ncommand = [\"gated\"]\nport = 9080\n"
     "[template.adapter]\n"
     "need = [\"CHANNEL_SECRET\"]\n"
     "env = { ROUTER_URL = \"${gated.url}\", TOKEN = \"${OTHER:-${self.name}}\" }\n"
     "ready.http = { url = \"${self.url}/health\", headers = { Authorization = \"Bearer s3cret\" } }\n"
     "restart = { factor = 1.5, budget = 0 }\n"
     "[service.teled]\n"
     "like = \"adapter\"\ncommand = [\"teled\"]\nport = 9001\n"
     "need = [\"...\", \"TELEGRAM_BOT_TOKEN\"]\n"},
    {"p.toml.d/work.toml",
     "[service.work]\nlike = \"teled\"\nport = 9011\nneed = [\"...\", \"WORK\"]\nessential = true\n"}};
const std::vector<Override> overrides{{"service.work.stop.timeout", "3s"}};

/// A line a key, "key = value, value | place from | place from".
std::string explained(std::string_view name) {
  const auto plan = load(files, overrides, environment({{"OTHER", "a-value"}}));
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  const auto keys = explain(*plan, files, overrides, name);
  if (!keys) return "none";
  std::string out;
  for (const ExplainedKey& key : *keys) {
    std::string values, places;
    for (const ExplainedValue& value : key.values) {
      values += (values.empty() ? "" : ", ") + value.text;
      const Location& where = value.origin.where;
      places += fmt::format(" | {}{}{}", where.file, where.line == 0 ? "" : fmt::format(":{}", where.line),
                            value.origin.from.empty() ? "" : " " + value.origin.from);
    }
    out += key.key + " = " + values + places + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("plan: each key of a service is explained by file, line, template, drop-in and --set") {
  CHECK(
      explained("work") ==
      "like = teled | p.toml.d/work.toml:2\n"
      "command = teled | p.toml:11 like teled\n"
      "port = 9011 | p.toml.d/work.toml:3\n"
      "need = CHANNEL_SECRET, TELEGRAM_BOT_TOKEN, WORK | p.toml:5 template adapter | p.toml:13 like teled | "
      "p.toml.d/work.toml:4\n"
      "env.ROUTER_URL = http://127.0.0.1:9080 | p.toml:6 template adapter\n"
      "env.TOKEN = ${OTHER:-work} | p.toml:6 template adapter\n"
      "essential = true | p.toml.d/work.toml:5\n"
      "ready.http.url = http://127.0.0.1:9011/health | p.toml:7 template adapter\n"
      "ready.http.headers.Authorization = (not shown) | p.toml:7 template adapter\n"
      "restart.factor = 1.5 | p.toml:8 template adapter\n"
      "restart.budget = 0 | p.toml:8 template adapter\n"
      "stop.timeout = 3s | --set service.work.stop.timeout\n");
}

TEST_CASE("plan: a service without a template is explained by its own lines") {
  CHECK(explained("gated") == "command = gated | p.toml:2\nport = 9080 | p.toml:3\n");
  CHECK(explained("adapter") == "none");
}

TEST_CASE("plan: conditions that stand in a list are explained one by one") {
  const std::vector<File> two{{"p",
                               "[service.a]\ncommand = [\"a\"]\nlive.http = [{ url = "
                               "\"http://127.0.0.1:1/\", headers = { A = \"x\" } },\n"
                               "{ url = \"http://127.0.0.1:2/\", status = [200, \"404\"] }]\n"}};
  const auto plan = load(two, {}, environment({}));
  REQUIRE(plan);
  const auto keys = explain(*plan, two, {}, "a");
  REQUIRE(keys);
  std::string names;
  for (const ExplainedKey& key : *keys) names += key.key + " ";
  CHECK(names == "command live.http[1].url live.http[1].headers.A live.http[2].url live.http[2].status ");
  CHECK(keys->at(2).values.at(0).text == "(not shown)");
  CHECK(keys->at(4).origin.where.line == 4);
}

}  // namespace arizuko::plan
