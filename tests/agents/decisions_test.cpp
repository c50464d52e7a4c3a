// What to do with what the API server says: try again, wait, give up; and where it is at all.
#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include "kube_config.hpp"
#include "pod_look.hpp"
#include "retry.hpp"
#include "settings.hpp"

namespace arizuko::agents {
namespace {

using namespace std::chrono_literals;

Environment environment(std::vector<std::pair<std::string, std::string>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    for (const auto& [key, value] : values) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
}

PodLook look(const std::string& spec, const std::string& status) {
  return look_at(
      json::parse(R"({"metadata":{"name":"p"},"spec":{)" + spec + R"(},"status":{)" + status + "}}"));
}

std::string waiting(const std::string& reason) {
  return R"("phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":")" + reason +
         R"(","message":"said"}}}])";
}

const std::string on_node = R"("nodeName":"n")";

}  // namespace

TEST_CASE("retry: what may pass is tried again, what is final is not") {
  for (const unsigned status : {0u, 408u, 429u, 500u, 503u}) {
    INFO(status);
    CHECK(pause_before_retry({.status = status}, 60s));
  }
  for (const unsigned status : {400u, 403u, 404u, 409u, 410u, 422u}) {
    INFO(status);
    CHECK(!pause_before_retry({.status = status}, 60s));
  }
}

TEST_CASE("retry: a refused token is tried twice more, for it may just be rotated") {
  CHECK(pause_before_retry({.status = 401, .number = 1}, 60s));
  CHECK(pause_before_retry({.status = 401, .number = 2}, 60s));
  CHECK(!pause_before_retry({.status = 401, .number = 3}, 60s));
}

TEST_CASE("retry: the pause doubles up to 10 s, is spread by luck, and obeys Retry-After") {
  const auto pause = [](unsigned number, double luck) {
    return *pause_before_retry({.number = number, .luck = luck}, 24h);
  };
  CHECK(pause(1, 0.5) == 200ms);
  CHECK(pause(2, 0.5) == 400ms);
  CHECK(pause(50, 0.5) == 10s);
  CHECK(pause(1, 0.0) == 160ms);
  CHECK(pause(1, 1.0) == 240ms);
  CHECK(*pause_before_retry({.status = 429, .retry_after = 7s}, 60s) == 7s);
}

TEST_CASE("retry: no pause goes beyond the budget") {
  CHECK(!pause_before_retry({.retry_after = 61s}, 60s));
  CHECK(!pause_before_retry({.elapsed = 60s}, 60s));
  CHECK(!pause_before_retry({}, 0s));
}

TEST_CASE("pod: each thing that holds it back is known by its own name") {
  CHECK(look("", R"("phase":"Pending")").hold == Hold::unscheduled);
  CHECK(
      look("", R"("conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}])").hold ==
      Hold::unschedulable);
  CHECK(look(on_node, R"("phase":"Pending")").hold == Hold::pulling);
  CHECK(look(on_node, waiting("ContainerCreating")).hold == Hold::pulling);
  CHECK(look(on_node, waiting("ErrImagePull")).hold == Hold::pull_fails);
  CHECK(look(on_node, waiting("ImagePullBackOff")).hold == Hold::pull_fails);
  CHECK(look(on_node, waiting("InvalidImageName")).hold == Hold::never_pulls);
  CHECK(look(on_node, waiting("CreateContainerConfigError")).hold == Hold::cannot_start);
  CHECK(look(on_node, R"("containerStatuses":[{"state":{"running":{}}}])").running);
}

TEST_CASE("pod: every hold has its bound") {
  const AgentPolicy policy;
  const auto gives_up = [&](const std::string& spec, const std::string& status, Held held) {
    return give_up(look(spec, status), held, policy, "i", "n").has_value();
  };
  CHECK(!gives_up("", "", {.since_created = 119s}));
  CHECK(gives_up("", "", {.since_created = 120s}));
  CHECK(!gives_up(on_node, "", {.since_created = 500s, .since_scheduled = 299s}));
  CHECK(gives_up(on_node, "", {.since_scheduled = 300s}));
  CHECK(!gives_up(on_node, waiting("ImagePullBackOff"), {.in_this_hold = 29s}));
  CHECK(gives_up(on_node, waiting("ImagePullBackOff"), {.in_this_hold = 30s}));
  CHECK(gives_up(on_node, waiting("InvalidImageName"), {}));
  CHECK(gives_up(on_node, waiting("CreateContainerConfigError"), {.in_this_hold = 30s}));
}

TEST_CASE("pod: the end has the container's code, and the pod's reason where it has one") {
  const std::string terminated =
      R"("containerStatuses":[{"state":{"terminated":{"exitCode":137,"reason":"Error"}}}])";
  CHECK(look(on_node, terminated).ended->code == 137);
  CHECK(explain(*look(on_node, terminated).ended) == "");
  const auto evicted = look(on_node, R"("phase":"Failed","reason":"Evicted","message":"disk",)" + terminated);
  CHECK(explain(*evicted.ended) == "the agent was evicted from its node: disk");
  const auto never_ran = look(on_node, R"("phase":"Failed","reason":"OutOfcpu","message":"no room")");
  CHECK(never_ran.ended->code == 137);
  CHECK(explain(*never_ran.ended) == "the agent was ended by Kubernetes (OutOfcpu): no room");
  CHECK(explain({137, "OOMKilled", ""}).find("more memory than its limit") != std::string::npos);
  const auto preempted =
      look(on_node,
           R"("conditions":[{"type":"DisruptionTarget","reason":"PreemptionByScheduler","message":"m"}],)" +
               terminated);
  CHECK(preempted.ended->reason == "PreemptionByScheduler");
}

TEST_CASE("settings: the backend is what is asked for, else what the place offers") {
  const auto choose = [](std::vector<std::pair<std::string, std::string>> values, bool account) {
    return *choose_backend(environment(std::move(values)), account);
  };
  CHECK(choose({}, false) == Backend::docker);
  CHECK(choose({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}, true) == Backend::kubernetes);
  CHECK(choose({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}, false) == Backend::docker);
  CHECK(choose({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"DOCKER_HOST", "tcp://x"}}, true) ==
        Backend::docker);
  CHECK(choose({{"CONTAINER_BACKEND", "none"}}, true) == Backend::none);
  CHECK(!choose_backend(environment({{"CONTAINER_BACKEND", "k8s"}}), true));
}

TEST_CASE("settings: a turn may last as long as gated lets it, whatever stands in its timers") {
  const auto longest = [](std::string container, std::string idle) {
    return read_settings(environment({{"CONTAINER_TIMEOUT", container}, {"IDLE_TIMEOUT", idle}}))
        ->longest_turn;
  };
  CHECK(longest("", "") == 3630s);
  CHECK(longest("7200000", "60000") == 7200s);
  CHECK(longest("1500", "1000") == 31s);
  CHECK(longest("10m", "-5") == 3630s);  // unparsable: gated's default
  const auto of_runed = [](std::string time) {
    return read_settings(
               environment(
                   {{"RUNED_RUN_TIMEOUT", time}, {"CONTAINER_TIMEOUT", "60000"}, {"IDLE_TIMEOUT", "60000"}}))
        ->longest_turn;
  };
  CHECK(of_runed("20m") == 1230s);
  CHECK(of_runed("1h30m0.5s") == 5431s);
  CHECK(of_runed("1500ms") == 90s);  // gated's timers are longer
  CHECK(of_runed("9999h") == 604'830s);
  for (const std::string nonsense : {"20", "m", "-1h", "1x", "nan", "1e9h", "inf"})
    CHECK(of_runed(nonsense) == 90s);
}

TEST_CASE("settings: [agents] arrives as arizuko-init hands it over") {
  const auto settings = read_settings(environment(
      {{"ARIZUKO_AGENTS",
        R"({"runtime_class":"kata","limits":{"cpu":"2"},"secrets":["s"],"pull_within_seconds":9})"}}));
  REQUIRE(settings);
  CHECK(settings->policy.runtime_class == "kata");
  CHECK(settings->policy.limits.at(0) == std::pair<std::string, std::string>{"cpu", "2"});
  CHECK(settings->policy.pull_within == 9s);
  CHECK(settings->policy.schedule_within == 120s);
  CHECK(!read_settings(environment({{"ARIZUKO_AGENTS", "[agents]"}})));
}

TEST_CASE("kubeconfig: server, authority and login of the current context, from YAML") {
  const std::string text = R"(apiVersion: v1
current-context: b
clusters:
- name: one
  cluster: {server: "https://[::1]:6443/", certificate-authority-data: Y2E=, tls-server-name: kubernetes}
contexts:
- context: {cluster: none, user: none}
  name: a
- context:
    cluster: one
    user: me
  name: b
users:
- name: me
  user:
    token: secret
)";
  const auto cluster = read_kubeconfig(text, "/");
  REQUIRE_MESSAGE(cluster, (cluster ? "" : cluster.error().text));
  CHECK(cluster->host == "::1");
  CHECK(cluster->port == "6443");
  CHECK(cluster->tls_name == "kubernetes");
  CHECK(cluster->ca_pem == "ca");
  CHECK(cluster->token == "secret");
  CHECK(cluster->name_space == "default");
}

TEST_CASE("kubeconfig: what cannot be read is said with its line") {
  for (const std::string text : {"a: [", "a: &x b\nc: *x", "", "- : :\n  -"}) {
    const auto cluster = read_kubeconfig(text, "/");
    REQUIRE(!cluster);
    CHECK(cluster.error().text.find("KUBECONFIG") != std::string::npos);
  }
}

}  // namespace arizuko::agents
