// The kubelet's three questions, /health for people and /metrics for Prometheus.
//
// Liveness of the supervisor is not the readiness of its daemons: /livez only says that the loop
// turns, else the kubelet would kill the one who repairs (kubernetes.md).
#include <fmt/format.h>

#include "arizuko/api/routes.hpp"
#include "arizuko/api/status_json.hpp"
#include "arizuko/engine/why.hpp"
#include "metrics.hpp"

namespace arizuko::api {

namespace {

Response text(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body) + '\n';
  return response;
}

Response startup(const host::Instance& instance) {
  const engine::View& view = instance.view();
  if (view.seeded && view.opened) return text(200, "ok");
  // A startup probe that fails for ever kills a pod that only an operator can help, and its last words with
  // it.
  if (engine::waits_for_operator(view, instance.plan().pod.ready_when)) {
    return text(200, "ok, the start has gone as far as it can without an operator: " +
                         engine::what_keeps_it(view, instance.now()));
  }
  return text(503, "not started: " + engine::why_pod(view, instance.now()));
}

Response readiness(const host::Instance& instance) {
  const engine::View& view = instance.view();
  const bool stopping = view.state == engine::PodState::stopping || view.state == engine::PodState::ended;
  if (stopping)
    return text(503, fmt::format("not ready: {}, because {}", engine::to_text(view.state), view.cause));
  if (view.ready) return text(200, "ok");
  return text(503, "not ready: " + engine::why_pod(view, instance.now()));
}

Response health(const host::Instance& instance) {
  Response response;
  response.content_type = "application/json";
  response.body = health_json(instance) + '\n';
  return response;
}

Response metrics(const host::Instance& instance) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = metrics_text(instance, process_facts());
  return response;
}

}  // namespace

Response probe_route(const Request& request, const host::Instance& instance) {
  using Route = Response (*)(const host::Instance&);
  const Route route = request.path == "/livez"      ? [](const host::Instance&) { return text(200, "ok"); }
                      : request.path == "/startupz" ? startup
                      : request.path == "/readyz"   ? readiness
                      : request.path == "/health"   ? health
                      : request.path == "/metrics"  ? metrics
                                                    : nullptr;
  if (route == nullptr) {
    return text(404, "nothing here; the paths are: /livez /readyz /startupz /health /metrics");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    Response refused =
        text(405, fmt::format("{} is not allowed: the probe port answers GET and HEAD only", request.method));
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  return route(instance);
}

}  // namespace arizuko::api
