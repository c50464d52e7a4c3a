// docs/reference/doctor.md names every check there is.
#include <doctest/doctest.h>

#include "arizuko/doctor/pod.hpp"
#include "world.hpp"

using namespace arizuko::doctor;

TEST_CASE("docs: docs/reference/doctor.md has a line for every check") {
  std::ifstream in(ARIZUKO_SOURCE_DIR "/docs/reference/doctor.md");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto documented = [&](std::string_view name) {
    return testing::has(text, fmt::format("\n| `{}` | ", name));
  };
  for (const CheckEntry& each : all_checks()) {
    CAPTURE(each.name);
    CHECK(documented(each.name));
  }
  for (const PodCheckEntry& each : all_pod_checks()) {
    CAPTURE(each.name);
    CHECK(documented(each.name));
  }
}
