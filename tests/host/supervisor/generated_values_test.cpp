// Values that were made once, as the weakest source.
#include "arizuko/host/supervisor/generated_values.hpp"

#include <doctest/doctest.h>

#include "host/host_test_tools.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;

TEST_CASE("generated values: what was generated is weaker than any value that is not empty") {
  Scratch scratch;
  const StateDir state = StateDir::make(scratch.path()).value();
  const std::string generated = scratch / ".arizuko-init/generated";
  std::filesystem::create_directories(generated);
  std::filesystem::create_directories(scratch / "secrets");
  plan::Plan plan;
  plan.env.sources = {{.kind = plan::Source::Kind::directory, .path = scratch / "secrets"}};
  plan.env.generated = {{"WEAK"}, {"EMPTY"}, {"REAL"}, {"NONE"}, {"LINK"}, {"SPOILT"}};
  plan.env.sources.insert(plan.env.sources.begin(), {plan::Source::Kind::generated, generated});
  for (const char* key : {"WEAK", "EMPTY", "REAL", "SPOILT"}) write_text(generated + "/" + key, "made");
  write_text(generated + "/ELSE", "nobody asked");
  std::filesystem::create_symlink(generated + "/WEAK", generated + "/LINK");
  write_text(scratch / "secrets/EMPTY", "");
  write_text(scratch / "secrets/REAL", "real");
  write_text(scratch / "secrets/SPOILT", std::string("a\0b", 3));
  char* no_environment[] = {nullptr};
  ReadResult read = read_sources(plan.env.sources, no_environment);
  const std::size_t problems_before = read.problems.size();
  add_generated(state, plan.env, read);
  const env::Snapshot& values = read.snapshot;
  CHECK(values.values.at("WEAK") == env::Value{"made", "generated:" + generated});
  CHECK(*values.find("EMPTY") == "made");
  CHECK(*values.find("REAL") == "real");
  CHECK(values.find("NONE") == nullptr);
  CHECK(values.find("ELSE") == nullptr);
  CHECK(values.unusable.at("LINK").starts_with(generated + "/LINK cannot be read"));
  CHECK(values.unusable.contains("SPOILT"));  // that a real one is wrong does not bring the weaker back
  CHECK(read.problems.size() == problems_before + 1);
}
