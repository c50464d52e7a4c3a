#include "arizuko/engine/reload.hpp"

#include <doctest/doctest.h>

using namespace arizuko;

TEST_CASE("reload: the instance and its data directory stay what they are in a run, all else may change") {
  plan::Pod running;
  running.instance = "a";
  running.data_dir = "/srv/a";
  plan::Pod fresh = running;
  fresh.grace = running.grace * 2;
  fresh.termination_log = "/elsewhere";
  CHECK(engine::fixed_in_a_run(running, fresh).empty());

  plan::Pod moved = running;
  moved.data_dir = "/srv/b";
  CHECK(engine::fixed_in_a_run(running, moved).contains("pod.data_dir"));
  plan::Pod renamed = running;
  renamed.instance = "b";
  CHECK(engine::fixed_in_a_run(running, renamed).contains("pod.instance"));
}
