// The table of docs/reference/engine.md: what follows at once, for each state and each thing that may happen
// in it.
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include <fmt/format.h>

#include "harness.hpp"

namespace {

using namespace arizuko::tests;  // NOLINT: a test about nothing else
using namespace std::chrono_literals;

constexpr const char* page = ARIZUKO_SOURCE_DIR "/docs/reference/engine.md";
constexpr const char* begin_mark = "<!-- from tests/engine/table_test.cpp -->\n";
constexpr const char* end_mark = "<!-- end -->\n";

// "main" comes after "gate", and takes A; it may end well.
PlanBuilder plan_of(State state) {
  PlanBuilder plan;
  plan.service("gate");
  plan.service("main", {"gate"});
  plan["main"].take = {"A"};
  plan["main"].restart.when =
      state == State::failed ? arizuko::plan::RestartWhen::never : arizuko::plan::RestartWhen::on_failure;
  if (state == State::blocked) plan["main"].need = {"TOKEN"};
  return plan;
}

// A service that has just come into this state, in a pod whose gate is ready.
Bench bench_in(State state) {
  Bench bench(plan_of(state));
  bench.values({{"A", "1"}});
  if (state == State::waiting) return bench;
  bench.up("gate");
  switch (state) {
    case State::off: bench.command(Command::Verb::stop, "main"); break;
    case State::blocked:
    case State::waiting: break;
    case State::starting: bench.spawned("main"); break;
    case State::ready: bench.up("main"); break;
    case State::unready:
      bench.up("main");
      bench.condition("main", 0, false, "status 503");
      break;
    case State::stopping:
      bench.up("main");
      bench.command(Command::Verb::restart, "main");
      break;
    case State::backoff:
    case State::failed:
      bench.spawned("main");
      bench.exited("main", 1);
      break;
    case State::done:
      bench.up("main");
      bench.wait(60s);
      bench.exited("main", 0);
      break;
  }
  if (state == State::off) {
    bench.spawned("main");
    bench.exited("main", 0);
  }
  return bench;
}

struct Happening {
  const char* name;
  std::function<void(Bench&)> happen;
};

const std::vector<Happening>& happenings() {
  static const std::vector<Happening> all = {
      {"its process ends, code 1", [](Bench& b) { b.exited("main", 1); }},
      {"its process ends, code 0", [](Bench& b) { b.exited("main", 0); }},
      {"its condition holds", [](Bench& b) { b.condition("main", 0, true); }},
      {"its condition fails", [](Bench& b) { b.condition("main", 0, false, "status 503"); }},
      {"its time is over", [](Bench& b) { b.tick(); }},
      {"the gate fails", [](Bench& b) { b.exited("gate", 1); }},
      {"start", [](Bench& b) { b.command(Command::Verb::start, "main"); }},
      {"stop", [](Bench& b) { b.command(Command::Verb::stop, "main"); }},
      {"restart", [](Bench& b) { b.command(Command::Verb::restart, "main"); }},
      {"the pod stops", [](Bench& b) { b.stop(); }},
  };
  return all;
}

std::string table() {
  std::string text = "| state |";
  for (const Happening& each : happenings()) text += fmt::format(" {} |", each.name);
  text += "\n|---|";
  for (std::size_t i = 0; i < happenings().size(); ++i) text += "---|";
  text += "\n";
  for (const State state : {State::off, State::blocked, State::waiting, State::starting, State::ready,
                            State::unready, State::stopping, State::backoff, State::failed, State::done}) {
    text += fmt::format("| {} |", to_text(state));
    for (const Happening& each : happenings()) {
      Bench bench = bench_in(state);
      REQUIRE(bench.view("main").state == state);
      each.happen(bench);
      const State after = bench.view("main").state;
      text += after == state ? " - |" : fmt::format(" {} |", to_text(after));
    }
    text += "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("engine: docs/reference/engine.md says what follows in each state") {
  std::ifstream in(page);
  std::stringstream source;
  source << in.rdbuf();
  std::string text = source.str();
  const auto begin = text.find(begin_mark);
  const auto end = text.find(end_mark, begin);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const auto at = begin + std::string(begin_mark).size();
  const std::string expected = table();
  if (text.substr(at, end - at) != expected && std::getenv("UPDATE_SNAPSHOTS") != nullptr) {
    text.replace(at, end - at, expected);
    std::ofstream(page) << text;
    return;
  }
  CHECK_EQ(text.substr(at, end - at), expected);
}
