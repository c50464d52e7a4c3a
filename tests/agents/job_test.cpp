// From a run to a Job: names, binds, the pod.
#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include <fmt/format.h>

#include "agent_job.hpp"
#include "binds.hpp"
#include "brake.hpp"
#include "names.hpp"
#include "runs_of_both_lines.hpp"

namespace arizuko::agents {
namespace {

constexpr std::string_view pod = R"({
  "metadata": {"name": "arizuko-0", "uid": "u-1"},
  "spec": {"nodeName": "n-1", "securityContext": {"fsGroup": 1000, "runAsUser": 5},
    "tolerations": [{"key": "own"}],
    "containers": [
      {"name": "sidecar", "volumeMounts": [{"name": "media", "mountPath": "/media"}]},
      {"name": "arizuko", "volumeMounts": [
        {"name": "data", "mountPath": "/srv/data/", "subPath": "tenant"},
        {"name": "media", "mountPath": "/srv/data/arizuko_demo/media"},
        {"name": "scratch", "mountPath": "/srv/data/arizuko_demo/scratch"}]}],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "claim"}},
      {"name": "media", "persistentVolumeClaim": {"claimName": "media-claim"}},
      {"name": "scratch", "emptyDir": {}}]}})";

OwnPod own() {
  auto read = read_own_pod(json::parse(boosted(pod)), "/srv/data/arizuko_demo");
  REQUIRE(read);
  return *read;
}

Settings settings() {
  Settings out;
  out.data_dir = "/srv/data/arizuko_demo";
  out.host_data_dir = "/host/demo";
  out.host_app_dir = "/opt/arizuko";
  return out;
}

Result<std::optional<Mapped>> map(std::string host) {
  return map_bind({std::move(host), "/x", Access::read_write}, settings(), own());
}

Run run() {
  Run out;
  out.name = "arizuko-Andy-main-1";
  out.image = "image:1";
  out.binds = {{"/host/demo/groups/main", "/home/node", Access::read_write},
               {"/opt/arizuko", "/workspace/self", Access::read_only},
               {"/host/demo/media/web", "/workspace/web", Access::read_only}};
  return out;
}

std::string job_text(const Run& run, const Settings& settings) {
  const auto job = build_job(run, settings, own(), "0123456789abcdef");
  REQUIRE_MESSAGE(job, (job ? "" : job.error().text));
  return json::serialize(*job);
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("agents: a bind below HOST_DATA_DIR is a subPath of the volume that gated has there") {
  const auto mapped = map("/host/demo/groups/main");
  REQUIRE(mapped);
  REQUIRE(*mapped);
  CHECK((*mapped)->claim == "claim");
  CHECK((*mapped)->sub_path == "tenant/arizuko_demo/groups/main");
}

TEST_CASE("agents: of nested volumes the deepest one counts") {
  CHECK((*map("/host/demo/media/web"))->claim == "media-claim");
  CHECK((*map("/host/demo/media/web"))->sub_path == "web");
  CHECK((*map("/host/demo/media"))->sub_path == "");
}

TEST_CASE("agents: what is below HOST_APP_DIR comes from the agent image") {
  CHECK(!*map("/opt/arizuko"));
  CHECK(!*map("/opt/arizuko/ant/src"));
}

TEST_CASE("agents: what cannot be mapped is refused with the reason") {
  for (const auto& [host, why] : std::vector<std::pair<std::string, std::string>>{
           {"/etc", "below HOST_DATA_DIR (/host/demo)"},
           {"/host/demonstration", "below HOST_DATA_DIR"},
           {"/opt/arizuko-evil", "below HOST_DATA_DIR"},
           {"/host/demo/../x", "'..'"},
           {"/host/demo/groups/..", "'..'"},
           {"/host/demo/scratch/x", "not on a PersistentVolumeClaim of pod arizuko-0"}}) {
    const auto mapped = map(host);
    REQUIRE(!mapped);
    CHECK(mapped.error().code == 125);
    CHECK_MESSAGE(has(mapped.error().text, why), mapped.error().text);
  }
}

TEST_CASE("agents: the Job holds both volumes once, the node, the owner and what \"restricted\" wants") {
  const auto text = job_text(run(), settings());
  for (const std::string_view part :
       {R"("claimName":"claim")", R"("claimName":"media-claim")",
        R"("subPath":"tenant/arizuko_demo/groups/main")", R"("subPath":"web","readOnly":true)",
        R"("values":["n-1"])", R"("uid":"u-1")", R"("fsGroup":1000)", R"("runAsUser":1000)",
        R"("runAsNonRoot":true)", R"("drop":["ALL"])", R"("type":"RuntimeDefault")", R"("stdinOnce":true)",
        R"("restartPolicy":"Never")", R"("automountServiceAccountToken":false)"}) {
    CHECK_MESSAGE(has(text, part), part);
  }
  CHECK(!has(text, "/workspace/self"));
  CHECK(!has(text, "serviceAccountName"));
  CHECK(!has(text, "envFrom\":[{"));
}

TEST_CASE(
    "agents: the Job mounts what the daemon of each line promised the agent, all of it from the volume") {
  for (const testing::LinesRun& each : testing::runs_of_both_lines()) {
    CAPTURE(each.line);
    const auto command = parse_command_line(each.words);
    REQUIRE(command);
    const auto job = build_job(std::get<Run>(*command), settings(), own(), "0123456789abcdef");
    REQUIRE_MESSAGE(job, (job ? "" : job.error().text));
    const auto& container =
        job->at("spec").at("template").at("spec").at("containers").as_array().front().as_object();
    const auto& mounts = container.at("volumeMounts").as_array();
    REQUIRE(mounts.size() == each.mounts.size() + 1);  // and /dev/shm
    for (std::size_t i = 0; i < each.mounts.size(); ++i) {
      CHECK(text_at(mounts[i], {"mountPath"}) == each.mounts[i].path);
      CHECK(text_at(mounts[i], {"subPath"}) ==
            fmt::format("tenant/arizuko_demo/{}", each.mounts[i].below_data_dir));
      CHECK(true_at(mounts[i], {"readOnly"}) == each.mounts[i].read_only);
    }
    json::array env;
    for (const auto& [name, value] : each.env)
      env.push_back(json::object{{"name", json_text(name)}, {"value", json_text(value)}});
    CHECK(container.at("env").as_array() == env);
    CHECK(group_of(std::get<Run>(*command)) == "main");
  }
}

TEST_CASE("agents: the plan's [agents] shapes the pod") {
  auto with = settings();
  with.policy.image_pull_secrets = {"registry"};
  with.policy.service_account = "agents";
  with.policy.runtime_class = "gvisor";
  with.policy.tolerations = {"dedicated=agents:NoSchedule", "gpu:NoExecute", "any"};
  with.policy.limits = {{"memory", "2Gi"}};
  with.policy.secrets = {"tokens"};
  with.policy.config_maps = {"shared"};
  const auto text = job_text(run(), with);
  for (const std::string_view part :
       {R"("imagePullSecrets":[{"name":"registry"}])", R"("serviceAccountName":"agents")",
        R"("runtimeClassName":"gvisor")", R"({"key":"own"})",
        R"({"effect":"NoSchedule","key":"dedicated","operator":"Equal","value":"agents"})",
        R"({"effect":"NoExecute","key":"gpu","operator":"Exists"})", R"({"key":"any","operator":"Exists"})",
        R"("limits":{"memory":"2Gi"})", R"({"configMapRef":{"name":"shared"}})",
        R"({"secretRef":{"name":"tokens"}})"}) {
    CHECK_MESSAGE(has(text, part), part);
  }
}

TEST_CASE("agents: docker networks and root are refused") {
  auto networked = run();
  networked.network = "net";
  CHECK(!build_job(networked, settings(), own(), "r"));
  auto root = run();
  root.user = User{0, 0};
  CHECK(!build_job(root, settings(), own(), "r"));
}

TEST_CASE("agents: a Job's name is a DNS label that leaves room for its pods, and no two names share one") {
  std::set<std::string> seen;
  for (const std::string& name :
       {std::string{"arizuko-Andy-main-1"}, std::string{"arizuko-andy-main-1"},
        std::string{"arizuko_Andy_main_1"}, std::string{"arizuko.Andy.main.1"}, std::string(200, 'x'),
        std::string(201, 'x'), std::string{"1-2"}, std::string{"___"}}) {
    for (const std::string instance : {"demo", "demo2"}) {
      const auto job = job_name(instance, name);
      CHECK(seen.insert(job).second);
      CHECK(job.size() <= 57);
      CHECK(job.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
      CHECK(job.front() != '-');
      CHECK(job.back() != '-');
    }
  }
  CHECK(job_name("demo", "x1") == job_name("demo", "x1"));
}

TEST_CASE("agents: an instance name that is no label value becomes one") {
  CHECK(label_value("demo") == "demo");
  CHECK(label_value("demo_") == digest("demo_", 32));
  CHECK(label_value("") == digest("", 32));
}

}  // namespace arizuko::agents
