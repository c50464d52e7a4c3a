// /v1/secrets: which values are in use, and what is held back.
#include "api/secrets_json.hpp"

#include <doctest/doctest.h>

#include "api/metrics.hpp"
#include "arizuko/api/routes.hpp"
#include "fake_instance.hpp"

namespace arizuko::api {

namespace {

FakeInstance rotated() {
  FakeInstance instance;
  engine::View& view = instance.view_;
  view.values.generation = 3;
  view.values.values_since = FakeInstance::at(5);
  view.values.rotation = engine::RotationView{};
  view.values.rotation->generation = 3;
  view.values.rotation->before = 2;
  view.values.rotation->keys.changed = {"SLACK_BOT_TOKEN"};
  view.values.rotation->outcome = engine::Outcome::applied;
  view.values.rotation->cause = "ready again with it after 1.2 s: slakd";
  view.values.rotation->services = {"slakd"};
  view.values.rotation->switched = FakeInstance::at(4);
  view.values.rotation->began = FakeInstance::at(5);
  view.values.rotation->all_ready = FakeInstance::at(6);
  view.values.rotation->ended = FakeInstance::at(9);
  view.values.rotations[static_cast<std::size_t>(engine::Outcome::applied)] = 2;
  view.values.held_keys = {{.key = "AUTH_SECRET",
                            .how = "changed",
                            .blocks = true,
                            .reason = "it is not what it was in the last run",
                            .remedy = "Put it back",
                            .generation = 3,
                            .since = FakeInstance::at(5),
                            .retry_at = {}}};
  view.services[1].runs.spawns = 1;
  view.services[1].run.generation = 1;
  view.services[1].run.old_values = true;
  instance.keys_ = {
      {"AUTH_SECRET", "dir:/etc/arizuko/secrets", {"gated"}, FakeInstance::at(1), true, "1a2b3c4d"},
      {"TZ", "", {"gated", "timed"}, std::nullopt, false, ""}};
  return instance;
}

Response ask(host::Instance& instance, std::string method, std::string path) {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.by = "operator (uid 1000)";
  return control_route(request, instance);
}

}  // namespace

TEST_CASE("api: secrets names keys, ages, generations and what is held back") {
  FakeInstance instance = rotated();
  const Response reply = ask(instance, "GET", "/v1/secrets");
  CHECK_EQ(reply.status, 200);
  CHECK_EQ(
      reply.body,
      R"({"generation":3,"since":"2026-11-18T11:06:45.000Z","rotation":{"generation":3,"before":2,"outcome":"applied",)"
      R"("phase":null,"cause":"ready again with it after 1.2 s: slakd","added":[],"changed":["SLACK_BOT_TOKEN"],)"
      R"("removed":[],"services":["slakd"],"remaining":[],"switched":"2026-11-18T11:06:44.000Z",)"
      R"("began":"2026-11-18T11:06:45.000Z","all_ready":"2026-11-18T11:06:46.000Z","ended":"2026-11-18T11:06:49.000Z",)"
      R"("seconds_to_ready":2E0},"waiting":null,"held":[{"key":"AUTH_SECRET","how":"changed","blocks":true,"why":"guarded",)"
      R"("reason":"it is not what it was in the last run","remedy":"Put it back","generation":3,)"
      R"("since":"2026-11-18T11:06:45.000Z","retry_at":null}],)"
      R"("outcomes":{"applied":2,"refused":0,"superseded":0,"rolled back":0,"rolled back in part":0,"interrupted":0},)"
      R"("keys":[{"name":"AUTH_SECRET","source":"dir:/etc/arizuko/secrets","since":"2026-11-18T11:06:41.000Z",)"
      R"("guarded":true,"fingerprint":"1a2b3c4d","taken_by":["gated"]},{"name":"TZ","source":null,"since":null,)"
      R"("guarded":false,"fingerprint":null,"taken_by":["gated","timed"]}],)"
      R"("services":[{"name":"gated","generation":1,"since":null,"old_values":true}]})"
      "\n");
}

TEST_CASE("api: a value is tried again by POST, one key or all") {
  FakeInstance instance = rotated();
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/retry").status, 202);
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/TZ/retry").status, 202);
  CHECK_EQ(instance.asked_,
           std::vector<std::string>{"retry all by operator (uid 1000)", "retry TZ by operator (uid 1000)"});
  CHECK_EQ(ask(instance, "GET", "/v1/secrets/retry").status, 405);
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/NOBODY/retry").status, 404);
}

TEST_CASE("api: a value is accepted by POST, and only one that a service takes") {
  FakeInstance instance = rotated();
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/AUTH_SECRET/accept").status, 202);
  CHECK_EQ(instance.asked_, std::vector<std::string>{"accept AUTH_SECRET by operator (uid 1000)"});
  instance.answer_ = {false, "AUTH_SECRET is not held back; nothing is"};
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/AUTH_SECRET/accept").status, 409);
  const Response other = ask(instance, "POST", "/v1/secrets/NOBODY/accept");
  CHECK_EQ(other.status, 404);
  CHECK_EQ(other.body,
           "{\"error\":\"no service takes a key NOBODY; `arizuko-init secrets` lists the keys\"}\n");
  CHECK_EQ(ask(instance, "GET", "/v1/secrets/AUTH_SECRET/accept").status, 405);
  CHECK_EQ(ask(instance, "POST", "/v1/secrets/AUTH_SECRET").status, 404);
  CHECK_EQ(ask(instance, "POST", "/v1/secrets").status, 405);
}

TEST_CASE("api: the probe port tells of rotations, and nothing that is derived from a value") {
  FakeInstance instance = rotated();
  const std::string text = metrics_text(instance, {});
  for (const char* line :
       {"arizuko_init_rotations_total{outcome=\"applied\"} 2\n", "arizuko_init_rotation_active 0\n",
        "arizuko_init_guarded_keys_held 1\n", "arizuko_init_values_held{reason=\"guarded\"} 1\n",
        "arizuko_init_values_held{reason=\"failed\"} 0\n", "arizuko_init_rotation_ready_seconds 2.000000\n",
        "arizuko_init_service_old_values{service=\"gated\"} 1\n"}) {
    const std::string wanted = line;
    CAPTURE(wanted);
    CHECK_NE(text.find(line), std::string::npos);
  }
  CHECK_EQ(text.find("1a2b3c4d"), std::string::npos);
}

}  // namespace arizuko::api
