#include "host/sources/source_reader.hpp"

#include <doctest/doctest.h>

#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

char* no_environment[] = {nullptr};
const StateDir no_state = StateDir::at("/nonexistent");

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
  SourceReader reader(no_state, no_environment, {}, {});
  const SourceReader::Read first = reader.read(plan);
  REQUIRE(first.values);
  CHECK(*(*first.values)->find("TOKEN") == "one");
  REQUIRE(first.notices.size() == 1);
  CHECK(reader.read(plan).notices.empty());
  CHECK(SourceReader(no_state, no_environment, {}, first.notices).read(plan).notices.empty());
}

TEST_CASE("source reader: a source that cannot be read is an error that names it, and nothing is made up") {
  Scratch scratch;
  std::filesystem::create_directory(scratch / "file.env");
  bool completed = false;
  SourceReader reader(no_state, no_environment, [&](const plan::Plan&, env::Snapshot&) { completed = true; },
                      {});
  const auto read = reader.read(plan_with(plan::Source::Kind::dotenv, scratch / "file.env"));
  REQUIRE_FALSE(read.values);
  CHECK(read.values.error().contains("file.env"));
  CHECK_FALSE(completed);
}

TEST_CASE("source reader: a rehearsal's values are among those that were read") {
  Scratch scratch;
  SourceReader reader(
      no_state, no_environment,
      [](const plan::Plan&, env::Snapshot& snapshot) { snapshot.values["MADE_UP"] = {"yes", "rehearsal"}; },
      {});
  const auto read = reader.read(plan_with(plan::Source::Kind::directory, scratch.path()));
  REQUIRE(read.values);
  CHECK((*read.values)->has("MADE_UP"));
}

TEST_CASE("source reader: what was generated is weaker than any value that is not empty") {
  Scratch scratch;
  const StateDir state = StateDir::make(scratch.path()).value();
  const std::string generated = scratch / ".arizuko-init/generated";
  std::filesystem::create_directories(generated);
  std::filesystem::create_directories(scratch / "secrets");
  plan::Plan plan = plan_with(plan::Source::Kind::directory, scratch / "secrets");
  plan.env.generated = {{"WEAK"}, {"EMPTY"}, {"REAL"}, {"NONE"}, {"LINK"}, {"SPOILT"}};
  plan.env.sources.insert(plan.env.sources.begin(), {plan::Source::Kind::generated, generated});
  for (const char* key : {"WEAK", "EMPTY", "REAL", "SPOILT"}) write_text(generated + "/" + key, "made");
  write_text(generated + "/ELSE", "nobody asked");
  std::filesystem::create_symlink(generated + "/WEAK", generated + "/LINK");
  write_text(scratch / "secrets/EMPTY", "");
  write_text(scratch / "secrets/REAL", "real");
  write_text(scratch / "secrets/SPOILT", std::string("a\0b", 3));
  const auto read = SourceReader(state, no_environment, {}, {}).read(plan);
  REQUIRE(read.values);
  const env::Snapshot& values = **read.values;
  CHECK(values.values.at("WEAK") == env::Value{"made", "generated:" + generated});
  CHECK(*values.find("EMPTY") == "made");
  CHECK(*values.find("REAL") == "real");
  CHECK(values.find("NONE") == nullptr);
  CHECK(values.find("ELSE") == nullptr);
  CHECK(values.unusable.at("LINK").starts_with(generated + "/LINK cannot be read"));
  CHECK(values.unusable.contains("SPOILT"));  // that a real one is wrong does not bring the weaker back
  CHECK(read.notices.size() == 2);
}
