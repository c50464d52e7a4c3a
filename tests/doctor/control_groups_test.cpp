// Limits that nothing holds.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

constexpr std::string_view limited =
    "[service.gated]\nmemory_high = \"256Mi\"\nmemory_max = \"512Mi\"\npids_max = 100\n";

}  // namespace

TEST_CASE("control-groups: limits that are held, and a plan without any, are nothing to tell") {
  World world;
  world.groups = {"", {}, "not delegated"};
  CHECK(check_control_groups(world.context()).empty());
  world.load(limited);
  world.groups = {"/ours", {"memory", "pids"}, ""};
  CHECK(check_control_groups(world.context()).empty());
}

TEST_CASE("control-groups: limits that nothing holds are told with the reason, and what would hold them") {
  World world;
  world.load(limited);
  world.groups = {"", {}, "/sys/fs/cgroup is read-only, as in an ordinary container"};
  const Finding all = only(check_control_groups(world.context()));
  CHECK(all.severity == Severity::warning);
  CHECK(all.key == "service.gated");
  CHECK(all.what ==
        "memory_high 256Mi, memory_max 512Mi, pids_max 100 without effect: /sys/fs/cgroup is read-only, as "
        "in an "
        "ordinary container");
  CHECK(has(all.fix, "Delegate=yes"));
  world.groups = {"/ours", {"pids"}, ""};
  CHECK(only(check_control_groups(world.context())).what ==
        "memory_high 256Mi, memory_max 512Mi without effect: of the controllers /ours was given pids");
  world.groups = {"/ours", {}, ""};
  CHECK(has(only(check_control_groups(world.context())).what, "of the controllers /ours was given none"));
}

TEST_CASE("control-groups: a service that the plan switches off needs no limit") {
  World world;
  world.load("[service.teled]\nenabled = false\nmemory_max = \"512Mi\"\n");
  world.groups = {"", {}, "not delegated"};
  CHECK(check_control_groups(world.context()).empty());
}
