// Which stock plan is taken when none is named: the decision by itself, where plans are looked for, and the
// whole way with two plans and routers in a PATH.
#include <doctest/doctest.h>

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "captured.hpp"
#include "cli/which_plan.hpp"
#include "temporary_directory.hpp"

using namespace arizuko;
using namespace arizuko::cli;

namespace {

using Directory = tests::TemporaryDirectory;

StockPlan plan_of(Line line, std::string router = "") {
  return {line, fmt::format("/etc/arizuko/{}", plan_file_of(line)), "/usr/local/bin:/usr/bin",
          std::move(router)};
}

PlanChoice of_both(std::string gated, std::string routd) {
  return choose({plan_of(Line::gated, std::move(gated)), plan_of(Line::routd, std::move(routd))});
}

}  // namespace

TEST_CASE("which plan: of one there is nothing to choose, whatever daemons are there") {
  const PlanChoice choice = choose({plan_of(Line::routd)});
  CHECK_FALSE(is_doubtful(choice));
  CHECK(to_text(choice) == "the plan is /etc/arizuko/arizuko-routd.toml, the only stock plan there");
}

TEST_CASE("which plan: of two the one whose router is there, and it says so") {
  const PlanChoice today = of_both("", "/usr/local/bin/routd");
  CHECK_FALSE(is_doubtful(today));
  CHECK(to_text(today) ==
        "the plan is /etc/arizuko/arizuko-routd.toml, for routd is /usr/local/bin/routd, and there is no "
        "gated");
  CHECK(to_text(of_both("/usr/bin/gated", "")) ==
        "the plan is /etc/arizuko/arizuko.toml, for gated is /usr/bin/gated, and there is no routd");
}

TEST_CASE("which plan: neither router or both is a doubt that names what was looked for and what to type") {
  const PlanChoice neither = of_both("", "");
  CHECK(is_doubtful(neither));
  CHECK(neither.file == "/etc/arizuko/arizuko.toml");
  CHECK(to_text(neither) ==
        "it cannot be told which plan fits: there is no gated in /usr/local/bin:/usr/bin, and there is no "
        "routd in "
        "/usr/local/bin:/usr/bin; name it: --plan /etc/arizuko/arizuko.toml for gated, "
        "--plan /etc/arizuko/arizuko-routd.toml for routd");
  const PlanChoice both = of_both("/usr/bin/gated", "/usr/bin/routd");
  CHECK(is_doubtful(both));
  CHECK(both.file == "/etc/arizuko/arizuko.toml");
  CHECK(to_text(both) ==
        "it cannot be told which plan fits: gated (/usr/bin/gated) and routd (/usr/bin/routd) are both "
        "there; name "
        "it: --plan /etc/arizuko/arizuko.toml for gated, --plan /etc/arizuko/arizuko-routd.toml for routd");
  CHECK(taken_in_doubt(both).starts_with(
      "the plan is /etc/arizuko/arizuko.toml, for nothing tells which one fits: gated (/usr/bin/gated) and"));
}

TEST_CASE("which plan: the line of a plan of one's own is told by its router") {
  const auto line = [](std::vector<std::string> programs) {
    plan::Plan plan;
    for (std::string& each : programs) plan.services.emplace_back().command = {std::move(each)};
    return line_of(plan);
  };
  CHECK(line({"authd", "/usr/local/bin/routd"}) == Line::routd);
  CHECK(line({"gated", "timed"}) == Line::gated);
  CHECK(line({"sleep"}) == Line::gated);
  CHECK(line({"routd", "gated"}) == Line::gated);
}

TEST_CASE(
    "which plan: /etc/arizuko comes first, then etc/ of the source tree that the program was built in") {
  using Places = std::vector<std::string>;
  CHECK(plan_directories("/opt/tree/build/release/arizuko-init") == Places{"/etc/arizuko", "/opt/tree/etc"});
  CHECK(plan_directories("/usr/local/bin/arizuko-init") == Places{"/etc/arizuko"});
  CHECK(plan_directories("") == Places{"/etc/arizuko"});
}

TEST_CASE("which plan: the first directory that has a stock plan is the only one that counts") {
  const Directory first;
  const Directory second;
  second.write("arizuko.toml", "");
  second.write("arizuko-routd.toml", "");
  const auto found = stock_plans({"/nowhere", first.path(), second.path()});
  REQUIRE(found.size() == 2);
  CHECK(found[0].file == second.path() + "/arizuko.toml");
  CHECK(found[1].file == second.path() + "/arizuko-routd.toml");
  first.write("arizuko-routd.toml", "");
  const auto sooner = stock_plans({"/nowhere", first.path(), second.path()});
  REQUIRE(sooner.size() == 1);
  CHECK(sooner[0].line == Line::routd);
  CHECK(stock_plans({"/nowhere"}).empty());
}
