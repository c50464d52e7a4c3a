#include <doctest/doctest.h>

#include <fmt/format.h>

#include "api/metrics.hpp"
#include "arizuko/api/routes.hpp"
#include "arizuko/api/status_json.hpp"
#include "fake_instance.hpp"

using namespace arizuko;
using api::FakeInstance;

namespace {

api::Request request(std::string_view method, std::string_view target) {
  auto parsed = api::parse_target(method, target);
  REQUIRE(parsed);
  parsed->by = "operator (uid 1000)";
  return *parsed;
}
api::Response probe(const FakeInstance& instance, std::string_view path, std::string_view method = "GET") {
  return api::probe_route(request(method, path), instance);
}
api::Response control(FakeInstance& instance, std::string_view method, std::string_view target) {
  return api::control_route(request(method, target), instance);
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string all_of(api::LineStream& stream) {
  std::string all;
  for (std::string piece = stream.next(); !piece.empty(); piece = stream.next()) all += piece;
  return all;
}

}  // namespace

TEST_CASE("api: livez answers ok whatever the daemons do") {
  FakeInstance instance;
  instance.view_.ready = instance.view_.opened = false;
  instance.view_.services[1].state = engine::State::failed;
  CHECK(probe(instance, "/livez").status == 200);
  CHECK(probe(instance, "/livez").body == "ok\n");
}

TEST_CASE("api: startupz says what the start waits for until seeded and opened") {
  FakeInstance instance;
  CHECK(probe(instance, "/startupz").status == 200);
  instance.view_.opened = instance.view_.ready = false;
  instance.view_.state = engine::PodState::booting;
  instance.view_.services[1].state = engine::State::starting;
  instance.view_.services[1].waiting_for = {"log \"arizuko running\""};
  const api::Response waiting = probe(instance, "/startupz");
  CHECK(waiting.status == 503);
  CHECK(waiting.body.starts_with("not started: "));
  instance.view_.opened = true;
  instance.view_.seeded = false;
  CHECK(probe(instance, "/startupz").status == 503);
}

TEST_CASE("api: readyz is 503 with the cause while stopping, even when everything still serves") {
  FakeInstance instance;
  CHECK(probe(instance, "/readyz").status == 200);
  instance.view_.state = engine::PodState::stopping;
  instance.view_.cause = "SIGTERM came";
  CHECK(probe(instance, "/readyz").status == 503);
  CHECK(probe(instance, "/readyz").body == "not ready: stopping, because SIGTERM came\n");
}

TEST_CASE("api: health shows every service as JSON without process ids") {
  FakeInstance instance;
  const api::Response health = probe(instance, "/health");
  CHECK(health.content_type == "application/json");
  CHECK(
      health.body ==
      R"({"instance":"demo","state":"running","ready":true,"services":[)"
      R"({"name":"seed","kind":"task","state":"done","since":"2026-11-18T11:06:42.000Z","restarts":0,"port":null,"waiting_for":[],"cause":"every condition holds"},)"
      R"({"name":"gated","kind":"service","state":"ready","since":"2026-11-18T11:06:42.000Z","restarts":0,"port":9080,"waiting_for":[],"cause":"every condition holds"}]})"
      "\n");
}

TEST_CASE("api: an unknown path is 404 and names the paths there are") {
  const FakeInstance instance;
  CHECK(probe(instance, "/healthz").status == 404);
  CHECK(probe(instance, "/healthz").body ==
        "nothing here; the paths are: /livez /readyz /startupz /health /metrics\n");
}

TEST_CASE("api: the probe port takes GET and HEAD, nothing else") {
  const FakeInstance instance;
  CHECK(probe(instance, "/livez", "HEAD").status == 200);
  const api::Response refused = probe(instance, "/livez", "POST");
  CHECK(refused.status == 405);
  CHECK(refused.headers.front() == std::pair<std::string, std::string>("Allow", "GET, HEAD"));
}

TEST_CASE("api: metrics show each state of each service once, exits by code, and the counters") {
  FakeInstance instance;
  instance.view_.since = FakeInstance::at(3);
  instance.view_.services[1].runs.restarts = 3;
  instance.view_.services[1].runs.exits = {{"1", 2}, {"SIGKILL", 1}};
  instance.view_.services[1].run.start_time = std::chrono::milliseconds(850);
  instance.view_.services[1].run.ready_at = FakeInstance::at(2);
  instance.counters_.orphans_reaped = 7;
  const std::string text = api::metrics_text(instance, {4096, 1.5});
  CHECK(has(text,
            "# HELP arizuko_init_service_state 1 for the state that the service is in, 0 for the others.\n"
            "# TYPE arizuko_init_service_state gauge\n"));
  CHECK(has(text, "arizuko_init_service_state{service=\"gated\",state=\"ready\"} 1\n"));
  CHECK(has(text, "arizuko_init_service_state{service=\"gated\",state=\"failed\"} 0\n"));
  CHECK(has(text, "arizuko_init_service_restarts_total{service=\"gated\"} 3\n"));
  CHECK(has(text, "arizuko_init_service_exits_total{service=\"gated\",code=\"SIGKILL\"} 1\n"));
  CHECK(has(text, "arizuko_init_service_start_seconds{service=\"gated\"} 0.850000\n"));
  CHECK(has(text, "arizuko_init_service_ready_timestamp_seconds{service=\"gated\"} 1795000002.000\n"));
  CHECK(has(text, "arizuko_init_pod_start_seconds 3.000000\n"));
  CHECK(has(text, "arizuko_init_pod_state{state=\"running\"} 1\n"));
  CHECK(has(text, "arizuko_init_orphans_reaped_total 7\n"));
  CHECK(has(text, "process_resident_memory_bytes 4096\n"));
  CHECK(has(text, "process_cpu_seconds_total 1.500\n"));
  CHECK(api::process_facts().resident_bytes > 0);
}

TEST_CASE("api: a label value is escaped as Prometheus reads it") {
  CHECK(api::escape_label("a\"b\\c\nd") == R"(a\"b\\c\nd)");
}

TEST_CASE(
    "api: agents that fail or are off are in status, why, page and metrics; the services are well all the "
    "same") {
  FakeInstance instance;
  CHECK_FALSE(has(control(instance, "GET", "/v1/status").body, "agents"));
  CHECK_FALSE(has(api::metrics_text(instance, {}), "agents"));
  instance.agents_.emplace();
  instance.agents_->backend = "kubernetes";
  const std::int64_t start_ms = FakeInstance::start_unix / 1'000'000;
  instance.agents_->failing.push_back({"main", 7, start_ms, start_ms, "<403>"});
  CHECK(has(
      control(instance, "GET", "/v1/status").body,
      R"("agents":{"backend":"kubernetes","since":"1970-01-01T00:00:00.000Z","failing":[)"
      R"({"group":"main","failures":7,"since":"2026-11-18T11:06:40.000Z","reason":"<403>"}]},"services")"));
  CHECK(
      has(control(instance, "GET", "/v1/why").body,
          "Nothing keeps the pod from being ready. Agents of group main have failed 7 times in a row for "));
  CHECK(has(api::page_route(request("GET", "/"), instance).body, "&lt;403&gt;."));
  const std::string metrics = api::metrics_text(instance, {});
  CHECK(has(metrics, "\narizuko_init_agents_failures{group=\"main\"} 7\n"));
  CHECK(has(metrics, "\narizuko_init_agents_off 0\n"));
  instance.agents_->backend = "none";
  CHECK(has(control(instance, "GET", "/v1/why").body, "Agents are off for "));
  CHECK(has(api::metrics_text(instance, {}), "\narizuko_init_agents_off 1\n"));
}

TEST_CASE("api: the status page escapes what daemons may influence, and has no script") {
  FakeInstance instance;
  instance.view_.services[1].state = engine::State::failed;
  instance.view_.services[1].cause = "<script>alert(1)</script>";
  const api::Response page = api::page_route(request("GET", "/"), instance);
  CHECK(page.status == 200);
  CHECK(has(page.body, "&lt;script&gt;"));
  CHECK_FALSE(has(page.body, "<script"));
  CHECK(has(page.body, "http-equiv=refresh content=2"));
  CHECK(api::page_route(request("GET", "/x"), instance).status == 404);
  CHECK(api::page_route(request("POST", "/"), instance).status == 405);
}

TEST_CASE("api: status is the JSON that scripts rely on, and a header says whether all is well") {
  FakeInstance instance;
  const api::Response well = control(instance, "GET", "/v1/status");
  CHECK(
      well.body ==
      R"({"instance":"demo","state":"running","generation":1,"held":[],)"
      R"("control_groups":{"path":null,"controllers":[],"why_not":"this kernel runs without control groups of version 2"},"services":[)"
      R"({"name":"seed","kind":"task","group":null,"state":"done","pid":null,"since":"2026-11-18T11:06:42.000Z","restarts":0,"port":null,"waiting_for":[],"cause":"every condition holds","usage":null},)"
      R"({"name":"gated","kind":"service","group":null,"state":"ready","pid":42,"since":"2026-11-18T11:06:42.000Z","restarts":0,"port":9080,"waiting_for":[],"cause":"every condition holds","usage":null}]})"
      "\n");
  CHECK(well.headers.front() == std::pair<std::string, std::string>("Arizuko-All-Well", "yes"));
  instance.view_.services[1].state = engine::State::backoff;
  CHECK(control(instance, "GET", "/v1/status").headers.front().second == "no");
}

TEST_CASE("api: what a service uses is shown to the operator and in metrics, never at the probe port") {
  FakeInstance instance;
  instance.groups_ = {"/ours", {"memory"}, ""};
  instance.usage_[1] = {.memory_bytes = 4096,
                        .memory_peak_bytes = std::nullopt,
                        .processes = 3,
                        .cpu_microseconds = 1'500'000,
                        .memory_kills = 2};
  plan::Service gated;
  gated.group.memory_max = 1 << 20;
  instance.plan_.services = {plan::Service{}, gated};
  const std::string status = control(instance, "GET", "/v1/status").body;
  CHECK(has(status, R"("control_groups":{"path":"/ours","controllers":["memory"],"why_not":null})"));
  CHECK(has(
      status,
      R"("usage":{"memory_bytes":4096,"memory_peak_bytes":null,"memory_kills":2,"processes":3,"cpu_seconds":1.5E0}})"));
  CHECK_FALSE(has(api::health_json(instance), "memory"));
  const std::string metrics = api::metrics_text(instance, {4096, 1.5});
  CHECK(has(metrics, "\narizuko_init_service_memory_bytes{service=\"gated\"} 4096\n"));
  CHECK(has(metrics, "\narizuko_init_service_memory_kills_total{service=\"gated\"} 2\n"));
  CHECK(has(metrics, "\narizuko_init_service_processes{service=\"gated\"} 3\n"));
  CHECK(has(metrics, "\narizuko_init_service_cpu_seconds_total{service=\"gated\"} 1.500000\n"));
  CHECK(has(metrics, "\narizuko_init_service_memory_max_bytes{service=\"gated\"} 1048576\n"));
  CHECK_FALSE(has(metrics, "arizuko_init_service_memory_peak_bytes{"));
  CHECK_FALSE(has(metrics, "{service=\"seed\"} 4096"));
  instance.groups_ = {};
  CHECK_FALSE(has(api::metrics_text(instance, {4096, 1.5}), "arizuko_init_service_memory"));
}

TEST_CASE("api: a command reaches the instance with who asked, and its refusal is 409") {
  FakeInstance instance;
  const api::Response taken = control(instance, "POST", "/v1/services/gated/restart");
  CHECK(taken.status == 202);
  CHECK(taken.body == "{\"accepted\":true,\"message\":\"gated: restart asked for\"}\n");
  CHECK(instance.asked_ == std::vector<std::string>{"restart gated by operator (uid 1000)"});
  instance.answer_ = {false, "the pod is stopping"};
  CHECK(control(instance, "POST", "/v1/services/gated/start").status == 409);
  CHECK(control(instance, "POST", "/v1/reload").body ==
        "{\"accepted\":false,\"message\":\"the pod is stopping\"}\n");
  CHECK(instance.asked_.back() == "reload by operator (uid 1000)");
}

TEST_CASE("api: an unknown service is 404 with the nearest name, and nothing is done") {
  FakeInstance instance;
  const api::Response unknown = control(instance, "POST", "/v1/services/gatd/stop");
  CHECK(unknown.status == 404);
  CHECK(unknown.body ==
        "{\"error\":\"there is no service \\\"gatd\\\" here; did you mean \\\"gated\\\"?\"}\n");
  CHECK(control(instance, "GET", "/v1/why?service=zzz").body ==
        "{\"error\":\"there is no service \\\"zzz\\\" here; there is: seed, gated\"}\n");
  CHECK(control(instance, "GET", "/v1/logs?service=zzz").status == 404);
  CHECK(instance.asked_.empty());
}

TEST_CASE("api: a group is the services that the plan has in it now, and status says whose it is") {
  FakeInstance instance;
  CHECK(control(instance, "GET", "/v1/services/@x").body ==
        "{\"error\":\"there is no group \\\"@x\\\" here: no service of the plan has one\"}\n");
  for (const char* name : {"seed", "gated", "teled", "gone"}) {
    plan::Service service;
    service.name = name;
    service.group_name = service.name == "seed" ? "" : service.name == "gated" ? "core" : "adapters";
    service.enabled = service.name != "gone";
    instance.plan_.services.push_back(service);
  }
  CHECK(control(instance, "GET", "/v1/services/%40adapters").body ==
        "{\"group\":\"adapters\",\"services\":[\"teled\"]}\n");
  const api::Response near = control(instance, "GET", "/v1/services/@adapter");
  CHECK(near.status == 404);
  CHECK(near.body ==
        "{\"error\":\"there is no group \\\"@adapter\\\" here; did you mean \\\"@adapters\\\"?\"}\n");
  CHECK(control(instance, "GET", "/v1/services/@zzz").body.contains("there is: @adapters, @core"));
  CHECK(control(instance, "POST", "/v1/services/@adapters").status == 405);
  CHECK(control(instance, "POST", "/v1/services/@adapters/stop").status == 404);
  CHECK(control(instance, "GET", "/v1/status").body.contains("\"kind\":\"service\",\"group\":\"core\""));
  CHECK(instance.asked_.empty());
}

TEST_CASE("api: a change is never made by GET") {
  FakeInstance instance;
  CHECK(control(instance, "GET", "/v1/services/gated/stop").status == 405);
  CHECK(control(instance, "GET", "/v1/reload").status == 405);
  CHECK(control(instance, "POST", "/v1/status").status == 405);
  CHECK(control(instance, "POST", "/v1/services/gated/explode").status == 404);
  CHECK(control(instance, "GET", "/v2").status == 404);
  CHECK(instance.asked_.empty());
}

TEST_CASE("api: events come one object a line, from after the number asked for") {
  FakeInstance instance;
  instance.happen("gated", "starting", "ready", "every condition holds");
  instance.history_.back().why = "conditions-hold";
  instance.happen("", "", "", "SIGTERM \"came\"");
  instance.history_.back().event = "pod";
  instance.history_.back().code = "pod-stopping";
  const api::Response all = control(instance, "GET", "/v1/events");
  REQUIRE(all.stream);
  CHECK_FALSE(all.stream->follow);
  CHECK(
      all_of(*all.stream) ==
      R"({"seq":1,"time":"2026-11-18T11:06:40.001Z","service":"gated","event":"state","code":"state-changed","from":"starting","to":"ready","why":"conditions-hold","cause":"every condition holds"})"
      "\n"
      R"({"seq":2,"time":"2026-11-18T11:06:40.002Z","service":null,"event":"pod","code":"pod-stopping","from":null,"to":null,"why":null,"cause":"SIGTERM \"came\""})"
      "\n");
  const api::Response rest = control(instance, "GET", "/v1/events?after=1&follow=1");
  CHECK(rest.stream->follow);
  CHECK(all_of(*rest.stream).starts_with(R"({"seq":2,)"));
  CHECK(control(instance, "GET", "/v1/events?after=x").status == 400);
}

TEST_CASE("api: a reader that falls behind the history is told how many events it lost") {
  FakeInstance instance;
  instance.happen("gated", "a", "b", "first");
  const api::Response response = control(instance, "GET", "/v1/events?follow=1");
  CHECK(has(all_of(*response.stream), "\"first\""));
  for (int i = 0; i < 5; ++i) instance.happen("gated", "a", "b", "more");
  instance.forget_events(4);
  const std::string late = all_of(*response.stream);
  CHECK(late.starts_with(
      R"({"seq":4,"time":"2026-11-18T11:06:40.005Z","service":null,"event":"gap","code":"gap","from":null,"to":null,"why":null,"cause":"3 events were lost: the history is bounded and this reader was too slow"})"));
  CHECK(has(late, R"({"seq":5,)"));
}

TEST_CASE("api: a stream that begins where history begins reports no gap") {
  FakeInstance instance;
  for (int i = 0; i < 5; ++i) instance.happen("gated", "a", "b", "more");
  instance.forget_events(3);
  CHECK_FALSE(has(all_of(*control(instance, "GET", "/v1/events").stream), "gap"));
}

TEST_CASE("api: logs give the last lines of the services asked for, then follow") {
  FakeInstance instance;
  instance.log("gated", "one");
  instance.log("seed", "other");
  instance.log("gated", "two\x01\xff");
  const api::Response response = control(instance, "GET", "/v1/logs?service=gated&lines=1&follow=1");
  CHECK(all_of(*response.stream) ==
        "{\"seq\":3,\"time\":\"2026-11-18T11:06:40.000Z\",\"service\":\"gated\",\"stream\":\"stderr\","
        "\"text\":\"two\\u0001\xEF\xBF\xBD\"}\n");
  instance.log("seed", "not asked for");
  instance.log("gated", "three");
  const std::string more = all_of(*response.stream);
  CHECK(has(more, "\"three\""));
  CHECK_FALSE(has(more, "not asked for"));
  CHECK_FALSE(has(more, "gap"));
}

TEST_CASE("api: a reader of logs that is too slow is told how many lines it lost") {
  FakeInstance instance;
  instance.log("gated", "first");
  const api::Response response = control(instance, "GET", "/v1/logs?follow=1");
  CHECK(has(all_of(*response.stream), "first"));
  for (int i = 0; i < 5000; ++i)
    instance.log("gated", "a line of some length that fills the history of this service");
  const std::string late = all_of(*response.stream);
  CHECK(has(late, "\"service\":null,\"stream\":\"gap\""));
  CHECK(has(late, "lines (of all services) were lost"));
  CHECK(has(late, "\"seq\":5001,"));
}

TEST_CASE(
    "api: a reader of the last lines holds none of them, and is told when they went before it took them") {
  FakeInstance instance;
  for (int i = 0; i < 1000; ++i) instance.log("gated", fmt::format("early {}", i));
  const api::Response response = control(instance, "GET", "/v1/logs?lines=1000");
  const std::string first = response.stream->next();
  CHECK(first.size() < 2 * api::LineStream::max_piece_bytes);
  CHECK(has(first, "\"early 0\""));
  for (int i = 0; i < 5000; ++i)
    instance.log("gated", "a line of some length that fills the history of this service");
  const std::string rest = all_of(*response.stream);
  CHECK(has(rest, "\"stream\":\"gap\""));
  CHECK(has(rest, " lines were lost"));
  CHECK_FALSE(has(rest, "some length"));
  CHECK(all_of(*response.stream).empty());
}

TEST_CASE("api: a piece of a stream is bounded however much there is") {
  FakeInstance instance;
  for (int i = 0; i < 2000; ++i) instance.happen("gated", "a", "b", std::string(500, 'x'));
  const api::Response response = control(instance, "GET", "/v1/events");
  CHECK(response.stream->next().size() < 2 * api::LineStream::max_piece_bytes + 64 * 700);
}

TEST_CASE("api: a target is decoded, and a malformed one is refused") {
  const auto parsed = api::parse_target("GET", "/a%20b?x=1&y=%41&x=2&flag");
  REQUIRE(parsed);
  CHECK(parsed->path == "/a b");
  CHECK(parsed->value("x") == "2");
  CHECK(parsed->value("y") == "A");
  CHECK(parsed->value("flag") == "");
  CHECK_FALSE(parsed->value("z"));
  CHECK_FALSE(api::parse_target("GET", "/%4"));
  CHECK_FALSE(api::parse_target("GET", "/%zz"));
  CHECK_FALSE(api::parse_target("GET", "http://x/"));
}

TEST_CASE("api: JSON text is valid UTF-8 whatever bytes come in") {
  CHECK(api::error_json("a\"\\\n\t\x01") == R"({"error":"a\"\\\n\t\u0001"})");
  CHECK(api::error_json("\xC3\xA9\xF0\x9F\x98\x80") == "{\"error\":\"\xC3\xA9\xF0\x9F\x98\x80\"}");
  CHECK(api::error_json("\xC0\xAF") == "{\"error\":\"\xEF\xBF\xBD\xEF\xBF\xBD\"}");  // overlong
}
