#include "host/supervisor/memory_kills.hpp"

#include <doctest/doctest.h>

using namespace arizuko::host;

TEST_CASE("memory kills: a main process that died of SIGKILL is one of those that the kernel killed") {
  const KillsAtTheEnd kills = kills_at_the_end(3, true);
  CHECK(kills.of_main);
  CHECK(kills.of_others == 2);
}

TEST_CASE("memory kills: a main process that ended otherwise leaves all kills to the others") {
  const KillsAtTheEnd kills = kills_at_the_end(3, false);
  CHECK_FALSE(kills.of_main);
  CHECK(kills.of_others == 3);
}

TEST_CASE("memory kills: SIGKILL without a new kill in the group came from somebody else") {
  const KillsAtTheEnd kills = kills_at_the_end(0, true);
  CHECK_FALSE(kills.of_main);
  CHECK(kills.of_others == 0);
}
