// By which ways values reach a service, and from where: names and sources.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "arizuko/env/reach.hpp"
#include "arizuko/plan/load.hpp"

using namespace arizuko;
using namespace arizuko::env;

namespace {

/// "NAME of KEY by WAY: SOURCE", a line each.
std::string told(const std::string& text, const Snapshot& snapshot) {
  const auto plan = plan::load({{"p", text}}, {},
                               [](std::string_view) -> std::optional<std::string> { return std::nullopt; });
  REQUIRE(plan);
  std::string out;
  for (const Reach& each : reaches(*plan, plan->services.at(0))) {
    out += fmt::format("{} of {} by {}: {}\n", each.name, each.key, to_text(each.way),
                       source_text(*plan, each, snapshot));
  }
  return out;
}

}  // namespace

TEST_CASE("reach: each value that reaches a service is told with its way and its source, never itself") {
  Snapshot snapshot;
  snapshot.values["TOKEN"] = {.text = "s3cret-token", .source = "dir:/etc/arizuko/secrets"};
  snapshot.values["TZ"] = {.text = "", .source = "environment"};
  snapshot.values["OVER"] = {.text = "s3cret-over", .source = "environment"};
  snapshot.unusable["BAD"] = "it holds a NUL";
  const std::string text = told(
      "[env]\ngenerated = { NEW = true }\ncommon = [\"TZ\", \"OVER\"]\n[service.a]\ncommand = [\"a\"]\nneed "
      "= [\"TOKEN\", \"BAD\"]\n"
      "take = [\"TOKEN\", \"NONE\", \"AS=TOKEN\", \"NEW\"]\nenabled_when = [\"TOKEN\", [\"ON=yes\", "
      "\"OR\"]]\n"
      "env = { OVER = \"x\", URL = \"${HOST:-h}:${TOKEN}\" }\n",
      snapshot);
  CHECK(text ==
        "TOKEN of TOKEN by need: dir:/etc/arizuko/secrets\n"
        "BAD of BAD by need: nowhere: it holds a NUL\n"
        "NONE of NONE by take: nowhere\n"
        "AS of TOKEN by take: dir:/etc/arizuko/secrets\n"
        "NEW of NEW by take: nowhere, until run generates it\n"
        "TZ of TZ by common: environment, empty\n"
        "URL of HOST by env: default of the plan\n"
        "URL of TOKEN by env: dir:/etc/arizuko/secrets\n"
        " of TOKEN by enabled_when: dir:/etc/arizuko/secrets\n"
        " of ON by enabled_when: nowhere\n"
        " of OR by enabled_when: nowhere\n");
}
