// Whom to consider again, and whose time is over.
#include "engine/agenda.hpp"

#include "harness.hpp"

using namespace arizuko::tests;
using namespace std::chrono_literals;

TEST_CASE("agenda: who is touched comes once, in start order") {
  Agenda agenda(3);
  agenda.touch(2);
  agenda.touch(0);
  agenda.touch(2);
  CHECK(agenda.next_touched() == 0);
  CHECK(agenda.next_touched() == 2);
  CHECK_FALSE(agenda.next_touched());
}

TEST_CASE("agenda: a timer is due at its instant, and moves when it is set anew") {
  Agenda agenda(2);
  const Instant start{};
  agenda.set_timer(0, start + 5s);
  agenda.set_timer(1, start + 3s);
  CHECK(agenda.first_timer() == start + 3s);
  CHECK_FALSE(agenda.due(start + 2s));
  CHECK(agenda.due(start + 3s) == 1);
  agenda.set_timer(1, start + 9s);
  CHECK(agenda.first_timer() == start + 5s);
  CHECK(agenda.before(start + 9s) == std::vector<ServiceId>{0});
  agenda.set_timer(0, std::nullopt);
  agenda.set_timer(1, std::nullopt);
  CHECK_FALSE(agenda.first_timer());
}

TEST_CASE("agenda: a new plan keeps the timers of those that stay, and nobody is touched any more") {
  Agenda agenda(1);
  agenda.touch(0);
  agenda.set_timer(0, Instant{} + 5s);
  agenda.resize(2);
  CHECK_FALSE(agenda.next_touched());
  CHECK(agenda.first_timer() == Instant{} + 5s);
  agenda.set_timer(1, Instant{} + 1s);
  CHECK(agenda.due(Instant{} + 1s) == 1);
}
