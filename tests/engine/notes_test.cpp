// What happened is a value: levels and codes follow from it, never from a sentence.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "harness.hpp"

using namespace arizuko::tests;
using namespace std::chrono_literals;

namespace {

std::string documentation() {
  std::ifstream in(ARIZUKO_SOURCE_DIR "/docs/reference/engine.md");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<Note> notes(Bench& bench, const Event& event) {
  std::vector<Action> actions;
  bench.engine().handle(event, bench.now(), actions);
  std::vector<Note> found;
  for (const Action& action : actions) {
    if (const auto* note = std::get_if<Note>(&action)) found.push_back(*note);
  }
  return found;
}

const Note& note_of(const std::vector<Note>& notes, What what) {
  const auto found = std::ranges::find(notes, what, &Note::what);
  REQUIRE(found != notes.end());
  return *found;
}

}  // namespace

TEST_CASE("engine: each kind of note has a code of its own, and docs/reference/engine.md lists it") {
  const std::string docs = documentation();
  std::set<std::string_view> codes;
  for (std::size_t i = 0; i < kinds_of_notes; ++i) {
    const auto what = static_cast<What>(i);
    CAPTURE(to_text(what));
    CHECK(codes.insert(to_text(what)).second);
    CHECK(docs.contains("`" + std::string(to_text(what)) + "`"));
  }
}

TEST_CASE("engine: docs/reference/engine.md lists the code of each cause") {
  const std::string docs = documentation();
  for (std::size_t i = 0; i < kinds_of_causes; ++i) {
    const auto why = static_cast<Why>(i);
    CAPTURE(to_text(why));
    CHECK(docs.contains("`" + std::string(to_text(why)) + "`"));
  }
}

TEST_CASE("engine: a leftover that calls itself \"code 0\" does not make a bad end a good one") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  const auto said = notes(bench, Exited{{0, 1}, {1, std::nullopt}, "code 0 (pid 17)"});
  CHECK(severity(note_of(said, What::ended_badly)) == Severity::warning);
  CHECK(severity(note_of(said, What::ended_badly)) == Severity::warning);
}

TEST_CASE("engine: a service called \"is taken:\" does not make a refusal of values an info line") {
  PlanBuilder plan;
  plan.service("is taken:").need = {"TOKEN"};
  Bench bench(plan);
  bench.values({{"TOKEN", "1"}});
  bench.up("is taken:");
  auto snapshot = std::make_shared<arizuko::env::Snapshot>();
  snapshot->generation = 2;
  const auto said =
      notes(bench, EnvironmentChanged{.snapshot = snapshot, .unlike_last_run = {}, .switched = {}});
  const Note& refused = note_of(said, What::generation_refused);
  CHECK(refused.generation == 2);
  CHECK(severity(refused) == Severity::warning);
}

TEST_CASE("engine: what dies of the stop signal it was sent is no trouble; of SIGKILL it is") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.command(Command::Verb::restart, "gated");
  CHECK(severity(note_of(notes(bench, Exited{{0, 1}, {std::nullopt, 15}, ""}), What::ended_as_told)) ==
        Severity::info);
  bench.up("gated");
  bench.command(Command::Verb::restart, "gated");
  bench.tick();  // SIGKILL
  CHECK(severity(note_of(notes(bench, Exited{{0, 2}, {std::nullopt, 9}, ""}), What::ended_badly)) ==
        Severity::warning);
}

TEST_CASE("engine: an applied rotation is no warning") {
  CHECK(severity(Note{.what = What::generation_applied}) == Severity::info);
  CHECK(severity(Note{.what = What::generation_rolled_back}) == Severity::warning);
}

TEST_CASE("engine: a way back names who failed, and to which generation it leads") {
  PlanBuilder plan;
  plan.service("gated").take = {"TOKEN"};
  Bench bench(plan);
  bench.values({{"TOKEN", "1"}});
  bench.up("gated");
  bench.values({{"TOKEN", "2"}});
  bench.exited("gated", 0);
  bench.spawned("gated");
  const auto said = notes(bench, Exited{{0, 2}, {1, std::nullopt}, ""});
  const Note& back = note_of(said, What::generation_going_back);
  CHECK(back.generation == 2);
  CHECK(back.back_to == 1);
  CHECK(back.culprit == bench.id("gated"));
}

TEST_CASE("engine: a plan or values that cannot be used are a line of history, and nothing else follows") {
  PlanBuilder plan;
  plan.service("gated");
  Bench bench(plan);
  bench.values({});
  bench.up("gated");
  bench.log();
  bench.deliver(InputRefused{InputRefused::Input::plan, "the plan file changed", "x.toml:1:1: no such key"});
  bench.deliver(InputRefused{InputRefused::Input::values, "a source changed", ".env: too long"});
  CHECK_TEXT(bench.log(), R"(
0.000 input-refused x.toml:1:1: no such key
  pod: [plan] the plan file changed, but the plan cannot be used, the old one stays: x.toml:1:1: no such key
0.000 input-refused .env: too long
  pod: [environment] a source changed, but its values cannot be used, the old ones stay: .env: too long
)");
  CHECK(bench.states() == "gated ready");
}
