#include "host/sources/source_reader.hpp"

#include <doctest/doctest.h>

#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

char* no_environment[] = {nullptr};

plan::Plan plan_with(plan::Source::Kind kind, const std::string& path) {
  plan::Plan plan;
  plan.env.sources = {{.kind = kind, .path = path}};
  return plan;
}

}  // namespace

TEST_CASE("source reader: the trouble of one key is said once, however often the source is read") {
  Scratch scratch;
  write_text(scratch / "TOKEN", "one");
  write_text(scratch / "no-variable", "two");
  const plan::Plan plan = plan_with(plan::Source::Kind::directory, scratch.path());
  SourceReader reader(no_environment, {}, {});
  const SourceReader::Read first = reader.read(plan);
  REQUIRE(first.values);
  CHECK(*(*first.values)->find("TOKEN") == "one");
  REQUIRE(first.notices.size() == 1);
  CHECK(reader.read(plan).notices.empty());
  CHECK(SourceReader(no_environment, {}, first.notices).read(plan).notices.empty());
}

TEST_CASE("source reader: a source that cannot be read is an error that names it, and nothing is made up") {
  Scratch scratch;
  std::filesystem::create_directory(scratch / "file.env");
  bool completed = false;
  SourceReader reader(no_environment, [&](const plan::Plan&, ReadResult&) { completed = true; }, {});
  const auto read = reader.read(plan_with(plan::Source::Kind::dotenv, scratch / "file.env"));
  REQUIRE_FALSE(read.values);
  CHECK(read.values.error().contains("file.env"));
  CHECK_FALSE(completed);
}

TEST_CASE("source reader: a rehearsal's values are among those that were read") {
  Scratch scratch;
  SourceReader reader(
      no_environment,
      [](const plan::Plan&, ReadResult& read) { read.snapshot.values["MADE_UP"] = {"yes", "rehearsal"}; },
      {});
  const auto read = reader.read(plan_with(plan::Source::Kind::directory, scratch.path()));
  REQUIRE(read.values);
  CHECK((*read.values)->has("MADE_UP"));
}
