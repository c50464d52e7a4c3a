// The status page: one self-contained HTML document without a script, fresh every two seconds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/api/routes.hpp"
#include "arizuko/api/status_json.hpp"
#include "arizuko/api/version.hpp"
#include "arizuko/engine/why.hpp"

namespace arizuko::api {

namespace {

constexpr std::string_view style = R"(
:root{color-scheme:light dark;--good:#1a7f37;--busy:#9a6700;--bad:#cf222e;--dim:#6e7781;--line:#8883}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0}p{margin:.2rem 0 1.2rem;color:var(--dim)}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--dim);font-size:.85rem}
th,td{padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
b{font-weight:600}.good{color:var(--good)}.busy{color:var(--busy)}.bad{color:var(--bad)}.dim{color:var(--dim)}
)";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string_view colour(engine::Mood mood) {
  switch (mood) {
    case engine::Mood::well: return "good";
    case engine::Mood::busy: return "busy";
    case engine::Mood::bad: return "bad";
    case engine::Mood::off: return "dim";
  }
  return "";
}

std::string row(const engine::ServiceView& service, engine::Instant now) {
  const std::string waits =
      service.waiting_for.empty() ? "" : fmt::format("waits for {}; ", fmt::join(service.waiting_for, ", "));
  return fmt::format(
      "<tr><td><b>{}</b><td><b class={}>{}</b><td class=n>{}<td class=n>{}<td class=n>{}<td>{}\n",
      escape(service.name), colour(engine::mood(service.state)), engine::to_text(service.state),
      engine::duration_text(now - service.since), service.port != 0 ? std::to_string(service.port) : "",
      service.runs.restarts, escape(waits + service.cause));
}

std::string document(const host::Instance& instance) {
  const engine::View& view = instance.view();
  const engine::Instant now = instance.now();
  std::string rows;
  for (const engine::ServiceView& service : view.services) rows += row(service, now);
  return fmt::format(
      "<!doctype html>\n<html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2>\n"
      "<meta name=viewport content=\"width=device-width\"><title>{0}: {1}</title>\n<style>{2}</style>\n"
      "<h1>{0} is <span class={3}>{1}</span></h1>\n<p>{4}</p>\n"
      "<table><tr><th>service<th>state<th>for<th>port<th>restarts<th>because\n{5}</table>\n"
      "<p>arizuko-init {6} &middot; generation {7} of the environment &middot; up {8}</p>\n",
      escape(view.instance), engine::to_text(view.state), style, view.ready ? "good" : "busy",
      escape(pod_sentence(instance)), rows, version, view.values.generation,
      engine::duration_text(now - view.started));
}

}  // namespace

Response page_route(const Request& request, const host::Instance& instance) {
  Response response;
  if (request.path != "/") {
    response.status = 404;
    response.body = "nothing here; the status page is /\n";
  } else if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.headers.emplace_back("Allow", "GET, HEAD");
    response.body =
        fmt::format("{} is not allowed: the status page answers GET and HEAD only\n", request.method);
  } else {
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.body = document(instance);
  }
  return response;
}

}  // namespace arizuko::api
