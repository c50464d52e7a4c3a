// What a service sees of the environment, as the plan says it: names, joined lists, switches, generated ones.
#include <doctest/doctest.h>

#include "arizuko/plan/show.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

const std::string head = "[service.a]\ncommand = [\"a\"]\n";

const Service& service(const Plan& plan, std::string_view name) {
  return plan.services.at(plan.find(name).value());
}

}  // namespace

TEST_CASE("plan: take and need may rename, with or without blanks around the sign") {
  const auto plan = load_text(head + "take = [\"A\", \"B=C\"]\nneed = [\"TOKEN = TOKEN_WORK\"]\n");
  REQUIRE(plan);
  const Service& a = service(*plan, "a");
  CHECK(a.take == std::vector<Taken>{"A", {"B", "C"}});
  CHECK(a.need == std::vector<Taken>{{"TOKEN", "TOKEN_WORK"}});
  CHECK(plan->warnings.empty());
  CHECK(to_text(*plan).contains("TOKEN = TOKEN_WORK"));
  CHECK(to_json(*plan).contains("\"TOKEN = TOKEN_WORK\""));
}

TEST_CASE("plan: of one name the later entry counts, and need before take; a twin is warned of") {
  const auto plan = load_text(head +
                              "take = [\"X = ONE\", \"Y\", \"X = TWO\", \"T = ELSE\", \"Y\"]\n"
                              "need = [\"T = ONE\"]\n");
  REQUIRE(plan);
  CHECK(service(*plan, "a").take == std::vector<Taken>{{"X", "TWO"}, "Y"});
  CHECK(service(*plan, "a").need == std::vector<Taken>{{"T", "ONE"}});
  CHECK(lines(plan->warnings) ==
        "p.toml:3:48: warning: service.a.take: \"Y\" stands in the list twice; remove one\n");
}

TEST_CASE("plan: a login is kept by the key that its name is given from") {
  const auto plan = load_text(head + "need = [\"TOKEN = WORK\"]\ncached.TOKEN = [\"${pod.data_dir}/a\"]\n");
  REQUIRE(plan);
  CHECK(service(*plan, "a").cached.front().key == "WORK");
}

TEST_CASE("plan: a list in enabled_when is one of which any must be met") {
  const auto plan = load_text(head + "enabled_when = [[\"BOT\", \"USER=yes\"], \"X=true\"]\n");
  REQUIRE(plan);
  const std::vector<AnyOf> expected = {{{"BOT", std::nullopt}, {"USER", "yes"}}, {{"X", "true"}}};
  CHECK(service(*plan, "a").enabled_when == expected);
  CHECK(to_text(*plan).contains("any of BOT or USER=yes, X=true"));
}

TEST_CASE("plan: a joined value keeps its items with their holes, and is shown as it is written") {
  const auto plan = load_text(head +
                              "port = 9\nenv.KEYS = { join = \",\", of = [\"a=${A}\", \"b=${B:-x}\", "
                              "\"c=${a.port}\"] }\n");
  REQUIRE(plan);
  const Joined expected{",",
                        {Template{{"a=", EnvReference{"A", std::nullopt}}},
                         Template{{"b=", EnvReference{"B", "x"}}}, Template{{"c=9"}}}};
  CHECK(service(*plan, "a").env.front().second == EnvValue{expected});
  CHECK(to_text(*plan).contains(R"(KEYS={ join = ",", of = ["a=${A}", "b=${B:-x}", "c=9"] })"));
}

TEST_CASE("plan: what is generated is the weakest source, kept below the data directory") {
  const auto plan = load_text(
      "[pod]\ndata_dir = \"/data/x\"\n[env]\nsources = [\"dir:/s\"]\n[env.generated]\nCHANNEL_SECRET = true\n"
      "AUTH = { bytes = 64, encoding = \"base64url\" }\nOFF = false\n" +
      head);
  REQUIRE(plan);
  CHECK(plan->env.generated ==
        std::vector<Generated>{{"CHANNEL_SECRET", 32, Encoding::hex}, {"AUTH", 64, Encoding::base64url}});
  REQUIRE(plan->env.sources.size() == 2);
  CHECK(plan->env.sources.front() == Source{Source::Kind::generated, "/data/x/.arizuko-init/generated",
                                            std::vector<std::string>{"CHANNEL_SECRET", "AUTH"}});
  CHECK(to_text(*plan).contains("AUTH: 64 bytes, base64url"));
  const auto none = load_text("[env.generated]\nOFF = false\n" + head);
  REQUIRE(none);
  CHECK(none->env.sources == std::vector<Source>{{Source::Kind::environment, ""}});
}

}  // namespace arizuko::plan
