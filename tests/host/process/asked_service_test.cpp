// A question to another service about this one (T41): yes, no, and what is neither.
#include "host/conditions/watcher_bench.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;
namespace plan = arizuko::plan;

namespace {

struct Registry : Bench {
  Registry() {
    seen = {{"CHANNEL_SECRET", "s3cret"}, {"CHANNEL_NAME", "telegram"}};
    check = http_check(server.port());
    check.of = "gated";
    check.contains.parts = {std::string("\"name\":\""), plan::EnvReference{"CHANNEL_NAME", {}},
                            std::string("\"")};
    check.headers = {{"Authorization", {{std::string("Bearer "), plan::EnvReference{"CHANNEL_SECRET", {}}}}}};
  }
  void begin(Purpose purpose = Purpose::liveness) {
    plan::Condition asks = condition(check, 5ms);
    asks.failures = 2;
    watcher->watch(key, asks, purpose);
  }
  void answers(const std::string& status, const std::string& body = "") {
    server.answer =
        "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  void knows() { answers("200 OK", R"({"channels":[{"name":"telegram"}],"ok":true})"); }
  /// So many more looks than are needed to call it failed.
  bool looks_on() {
    const int before = server.connections;
    return until([&] { return server.connections >= before + 6; });
  }
  Server server{io};
  plan::HttpCheck check;
};

}  // namespace

TEST_CASE("watcher: a header and the text that is looked for are filled in with what the run sees") {
  Registry registry;
  registry.knows();
  registry.begin();
  REQUIRE(registry.reports_reach(1));
  CHECK(registry.reports[0].holds);
  CHECK(registry.server.request.contains("\r\nAuthorization: Bearer s3cret\r\n"));
  registry.seen["CHANNEL_SECRET"] = "another";  // the run of a new generation
  REQUIRE(registry.until([&] { return registry.server.request.contains("Bearer another\r\n"); }));
}

TEST_CASE("watcher: only the other service's own clear answer is a no (T41)") {
  Registry registry;
  registry.knows();
  registry.begin();
  REQUIRE(registry.reports_reach(1));
  for (const std::string status : {"401 Unauthorized", "503 Not Now", "500 Oops", "429 Slow Down"}) {
    INFO(status);
    registry.answers(status);
    CHECK(registry.looks_on());
    CHECK(registry.reports.size() == 1);
    registry.knows();
    CHECK(registry.looks_on());
  }
  registry.answers("200 OK", R"({"channels":[{"name":"discord"}],"ok":true})");
  REQUIRE(registry.reports_reach(2));
  CHECK_FALSE(registry.reports[1].holds);
  CHECK(registry.reports[1].detail == "status 200, but the body lacks \"\"name\":\"${CHANNEL_NAME}\"\"");
  for (const std::string& warning : registry.warnings) CHECK_FALSE(warning.contains("s3cret"));
  CHECK(registry.warnings.size() == 4);  // once for each that lasted
}

TEST_CASE("watcher: 404 of the other service is a no, silence and a long body are none") {
  Registry registry;
  registry.knows();
  registry.begin();
  REQUIRE(registry.reports_reach(1));
  registry.answers("200 OK", std::string(70'000, 'x'));
  CHECK(registry.looks_on());
  registry.server.answer = "";
  CHECK(registry.looks_on());
  CHECK(registry.reports.size() == 1);
  registry.answers("404 Not Found");
  REQUIRE(registry.reports_reach(2));
  CHECK_FALSE(registry.reports[1].holds);
}

TEST_CASE(
    "watcher: who is not ready is not asked, nor is another's listener, nor without the value that it "
    "wants") {
  Registry registry;
  registry.answers("200 OK", "{}");
  SUBCASE("gated is not ready") { registry.gated_serves.reset(); }
  SUBCASE("the secret is not set") { registry.seen.erase("CHANNEL_SECRET"); }
  SUBCASE("the secret would end the header") { registry.seen["CHANNEL_SECRET"] = "a\r\nX: b"; }
  registry.begin();
  REQUIRE(registry.until([&] { return !registry.warnings.empty(); }));
  CHECK(registry.server.connections == 0);
  CHECK(registry.reports.empty());  // neither well nor ill
  CHECK(registry.warnings[0].contains("cannot tell: "));
}

TEST_CASE("watcher: a secret is not sent to a listener that is not the one asked for") {
  Registry registry;
  registry.members.clear();  // of gated: nobody, so the listener is somebody else's
  registry.answers("200 OK", "{}");
  registry.begin();
  REQUIRE(registry.until([&] { return !registry.warnings.empty(); }));
  CHECK(registry.server.connections > 0);
  CHECK(registry.server.request.empty());
  CHECK(registry.reports.empty());
}

TEST_CASE("watcher: what a service waits for does not hold while it cannot be told") {
  Registry registry;
  registry.gated_serves.reset();
  registry.begin(Purpose::readiness);
  REQUIRE(registry.reports_reach(1));
  CHECK_FALSE(registry.reports[0].holds);
  CHECK(registry.reports[0].detail == "cannot tell: gated is not ready");
  registry.knows();
  registry.gated_serves = RunKey{{2, 1}};
  REQUIRE(registry.reports_reach(2));
  CHECK(registry.reports[1].holds);
}
