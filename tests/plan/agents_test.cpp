// [agents]: what is read, how it is handed over, what is refused.
#include <doctest/doctest.h>

#include "arizuko/plan/show.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

constexpr std::string_view gated = R"(
[service.gated]
command = ["gated"]
env.ARIZUKO_AGENTS = "${agents.settings}"
env.PATH = "/opt/first:${pod.path}"
)";

std::string agents_of(const std::expected<Plan, Problems>& plan) {
  return to_text(plan->services.at(0).env.at(0).second);
}

}  // namespace

TEST_CASE("plan: [agents] reaches a service as one line of JSON, with its defaults filled in") {
  const auto plan = load_text(std::string{gated} + R"(
[agents]
image_pull_secrets = ["registry"]
runtime_class = "gvisor"
tolerations = ["dedicated=agents:NoSchedule", "gpu"]
limits = { memory = "2Gi", cpu = "1.5" }
secrets = ["agent-tokens"]
schedule_within = "30s"
)");
  REQUIRE(plan);
  CHECK(agents_of(plan) ==
        R"({"image_pull_secrets":["registry"],"service_account":"","runtime_class":"gvisor",)"
        R"("tolerations":["dedicated=agents:NoSchedule","gpu"],"requests":{},)"
        R"("limits":{"memory":"2Gi","cpu":"1.5"},"secrets":["agent-tokens"],"config_maps":[],)"
        R"("schedule_within_seconds":30,"pull_within_seconds":300})");
  CHECK(plan->agents.limits.size() == 2);
}

TEST_CASE("plan: without [agents] there is nothing to hand over") {
  const auto plan = load_text(std::string{gated});
  REQUIRE(plan);
  CHECK(agents_of(plan) == "");
}

TEST_CASE("plan: ${pod.path} is the PATH that children without one of their own get") {
  const auto plan = load_text(std::string{gated} + "[pod]\npath = \"/usr/bin\"\n");
  REQUIRE(plan);
  CHECK(to_text(plan->services.at(0).env.at(1).second) == "/opt/first:/usr/bin");
}

TEST_CASE("plan: what Kubernetes would refuse in [agents] is refused before anything starts") {
  const auto plan = load_text(std::string{gated} + R"(
[agents]
image_pull_secrets = ["Registry"]
tolerations = ["dedicated:Sometimes"]
limits = { memory = "lots" }
runtime_class = "-x"
schedule_within = "0s"
image_pull_secret = "one"
)");
  REQUIRE(!plan);
  const auto said = lines(plan.error());
  for (const std::string part :
       {"agents.image_pull_secrets: \"Registry\" is not a name of Kubernetes",
        "agents.tolerations: \"dedicated:Sometimes\" is not a toleration",
        "agents.limits.memory: \"lots\" is not an amount", "agents.runtime_class: \"-x\" is not a name",
        "agents.schedule_within", "did you mean \"image_pull_secrets\"?"}) {
    INFO(said);
    CHECK(said.find(part) != std::string::npos);
  }
}

}  // namespace arizuko::plan
