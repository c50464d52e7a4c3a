// Spacing of failing turns, and a ledger that somebody else may have written.
#include "ledger.hpp"

#include <doctest/doctest.h>

#include "brake.hpp"

using namespace arizuko::agents;

namespace {

constexpr UnixMs noon = 1'764'360'000'000;

Ledger failed_times(unsigned times, UnixMs now = noon) {
  Ledger ledger;
  for (unsigned each = 0; each < times; ++each) note_failure(ledger, "main", "no", now);
  return ledger;
}

}  // namespace

TEST_CASE("brake: the pause doubles from one second to a minute, and stays there (T40)") {
  const std::vector<int> seconds{0, 1, 2, 4, 8, 16, 32, 64, 64};
  for (unsigned failures = 0; failures < seconds.size(); ++failures)
    CHECK(pause_after(failures) == Milliseconds{1000 * seconds[failures]});
  CHECK(pause_after(4'000'000'000) == longest_turn_pause);
}

TEST_CASE("brake: a group that does not fail waits for nothing, and does not wait for one that does") {
  auto ledger = failed_times(3);
  CHECK(reserve(ledger, "other", noon) == noon);
  CHECK(reserve(ledger, "main", noon) == noon + 4000);
}

TEST_CASE("brake: after ten minutes of failing at once a chat has less than one turn a minute (T40)") {
  Ledger ledger;
  UnixMs now = noon;
  unsigned tried = 0, late = 0;
  while (now < noon + 1'200'000) {
    now = reserve(ledger, "main", now);
    ++tried;
    if (now >= noon + 600'000 && now < noon + 1'200'000) ++late;
    note_failure(ledger, "main", "CONTAINER_BACKEND is none", ++now);
  }
  CHECK(late <= 10);
  CHECK(tried <= 28);
}

TEST_CASE("brake: runs that wait at one time are tried one after the other, not together") {
  auto ledger = failed_times(7);
  for (int run = 0; run < 3; ++run) {
    ledger.runs.push_back({"r", "main", 100 + run, 1, LiveRun::Stage::waiting});
    CHECK(reserve(ledger, "main", noon) == noon + 64'000 * (run + 1));
  }
}

TEST_CASE("brake: a turn that goes well ends the spacing, and a later failure begins with a second") {
  auto ledger = failed_times(9);
  note_success(ledger, "main");
  CHECK(failing(ledger, "main") == nullptr);
  CHECK(reserve(ledger, "main", noon) == noon);
  note_failure(ledger, "main", "again", noon + 5);
  CHECK(failing(ledger, "main")->since == noon + 5);
  CHECK(reserve(ledger, "main", noon + 5) == noon + 1005);
}

TEST_CASE("brake: a clock that was set back does not hold a group for longer than its pause") {
  auto ledger = failed_times(7, noon + 86'400'000);
  CHECK(reserve(ledger, "main", noon) == noon + 64'000);
}

TEST_CASE("ledger: what is written is read again, as text of one line") {
  auto ledger = failed_times(2);
  note_failure(ledger, "main", "a\x1b[31mred\nline \xFF" + std::string(5000, 'x'), noon);
  note_backend(ledger, "none", noon);
  ledger.runs.push_back({"arizuko-Andy-main-1", "main", 42, 77, LiveRun::Stage::running});
  const auto& reason = ledger.groups.front().reason;
  CHECK(reason.starts_with("a [31mred line  x"));
  CHECK(reason.size() == most_reason_bytes);
  CHECK(read_ledger(to_json(ledger)) == ledger);
}

TEST_CASE("ledger: nonsense is an empty one, and nonsense inside it is left out") {
  for (const auto* text :
       {"", "[]", "{", "null", R"({"groups":{"group":"main"}})", R"({"groups":[1,null,[]]})",
        R"({"groups":[{"group":"main","failures":-4}]})", R"({"runs":[{"pid":1,"born":1}]})"}) {
    CHECK(read_ledger(text) == Ledger{});
  }
  CHECK(read_ledger(std::string(most_ledger_bytes + 1, '[')) == Ledger{});
  CHECK(read_ledger(std::string(100'000, '[')) == Ledger{});
  const auto ledger =
      read_ledger(R"({"groups":[{"group":"main","failures":3,"not_before":9223372036854775807}]})");
  REQUIRE(ledger.groups.size() == 1);
  auto copy = ledger;
  CHECK(reserve(copy, "main", noon) == noon + 4000);
}

TEST_CASE("ledger: the groups that fail are bounded; the one that failed longest ago is forgotten") {
  Ledger ledger;
  for (std::size_t each = 0; each <= most_groups; ++each)
    note_failure(ledger, "group-" + std::to_string(each), "no", noon + static_cast<UnixMs>(each));
  CHECK(ledger.groups.size() == most_groups);
  CHECK(failing(ledger, "group-0") == nullptr);
  CHECK(to_json(ledger).size() < most_ledger_bytes);
}

TEST_CASE("brake: a run's group is the directory that becomes the agent's home") {
  Run run;
  run.name = "arizuko-Andy-atlas-support-1764360000000";
  CHECK(group_of(run) == "arizuko-Andy-atlas-support");
  run.binds.push_back({"/srv/data/arizuko_demo/groups/atlas/support", "/home/node", Access::read_write});
  CHECK(group_of(run) == "atlas/support");
}

TEST_CASE("brake: the process of a caller is known by more than its number") {
  CHECK(caller_lives(caller_mark()));
  const auto mark = caller_mark();
  CHECK_FALSE(caller_lives(mark.substr(0, mark.rfind('/')) + "/1"));
  for (const auto* other : {"", "/", "1/2/3", "0/-5/0"}) CHECK_FALSE(caller_lives(other));
}
