// The pump with a real engine and nothing behind it: what is carried out is written down.
#include "host/supervisor/pump.hpp"

#include <doctest/doctest.h>

#include <set>

#include "arizuko/plan/load.hpp"

using namespace arizuko;
using namespace arizuko::host;

namespace {

engine::PlanPtr plan_of(int services) {
  std::string text = "[pod]\ninstance = \"t\"\ndata_dir = \"/srv/t\"\nready_when = []\n";
  for (int i = 0; i < services; ++i)
    text += "[service.s" + std::to_string(i) + "]\ncommand = [\"/bin/true\"]\n";
  auto loaded = plan::load({{"test.toml", text}}, {}, [](std::string_view) { return std::nullopt; });
  REQUIRE(loaded);
  return std::make_shared<const plan::Plan>(std::move(*loaded));
}

struct Pumped {
  explicit Pumped(int services, std::function<void(const engine::Action&)> also = {})
      : engine(plan_of(services)),
        pump(io, engine,
             {.carry_out =
                  [this, also = std::move(also)](const engine::Action& action) {
                    if (std::holds_alternative<engine::Spawn>(action)) ++spawns;
                    if (also) also(action);
                  },
              .stopping = [this] { ++told_to_stop; },
              .turn_is_over = [this] { ++turns; },
              .begin_to_read = [] { return std::vector<ReadGoal>(); },
              .reap = [] {}}) {}

  void first_values() {
    auto values = std::make_shared<env::Snapshot>();
    values->generation = 1;
    pump.push(engine::EnvironmentChanged{.snapshot = values, .unlike_last_run = {}, .switched = {}});
  }

  boost::asio::io_context io{1};
  engine::Engine engine;
  Pump pump;
  int spawns = 0;
  int turns = 0;
  int told_to_stop = 0;
};

}  // namespace

TEST_CASE("pump: a turn spawns a bounded number, and the rest follows through the loop") {
  Pumped pumped(100);
  pumped.first_values();
  CHECK(pumped.spawns > 0);
  CHECK(pumped.spawns < 100);
  CHECK_FALSE(pumped.pump.all_is_done());
  while (!pumped.pump.all_is_done() && pumped.io.run_one() > 0) {
  }
  CHECK(pumped.spawns == 100);
}

TEST_CASE("pump: what carrying out an action reports is heard behind what was told before it") {
  std::vector<std::string> heard;
  Pump* pump = nullptr;
  Pumped pumped(1, [&](const engine::Action& action) {
    if (const auto* note = std::get_if<engine::Note>(&action); note && note->what == engine::What::remark)
      heard.push_back(note->cause);
    if (std::holds_alternative<engine::Spawn>(action))
      pump->push(engine::Remark{engine::Remark::Tone::info, "of the spawn"});
  });
  pump = &pumped.pump;
  pumped.pump.put(engine::Remark{engine::Remark::Tone::info, "first"});
  pumped.first_values();
  CHECK(heard == std::vector<std::string>{"first", "of the spawn"});
}

TEST_CASE("pump: an exception of an action leaves the pump to the next event") {
  bool thrown = false;
  Pumped pumped(1, [&](const engine::Action& action) {
    if (std::holds_alternative<engine::Spawn>(action) && !std::exchange(thrown, true)) throw std::bad_alloc();
  });
  CHECK_THROWS_AS(pumped.first_values(), std::bad_alloc);
  pumped.pump.push(engine::StopRequested{"the test"});
  CHECK(pumped.told_to_stop > 0);
  CHECK(pumped.turns > 0);
}

TEST_CASE("pump: after its end nothing is carried out") {
  Pumped pumped(1);
  pumped.pump.end();
  pumped.first_values();
  CHECK(pumped.spawns == 0);
}
