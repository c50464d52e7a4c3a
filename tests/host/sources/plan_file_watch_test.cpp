#include "host/sources/plan_file_watch.hpp"

#include <doctest/doctest.h>

#include "host/host_test_tools.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

TEST_CASE("plan file watch: another content of the plan, and a new drop-in, are told") {
  Scratch scratch;
  write_text(scratch / "plan.toml", "one");
  boost::asio::io_context io{1};
  int told = 0;
  PlanFileWatch watch(io, scratch / "plan.toml", [&] { ++told; });
  const auto told_so_often = [&](int times) {
    return eventually([&] { return io.restart(), io.poll(), told == times; });
  };
  write_text(scratch / "plan.toml", "two");
  CHECK(told_so_often(1));
  std::filesystem::create_directory(scratch / "plan.toml.d");
  write_text(scratch / "plan.toml.d/x.toml", "three");
  CHECK(told_so_often(2));
}
