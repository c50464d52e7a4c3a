// Every cause has a code of its own, and a sentence; here stand all of them, for who edits the English.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "harness.hpp"

namespace {

using namespace arizuko::tests;  // NOLINT: a test about nothing else
using namespace std::chrono_literals;

std::shared_ptr<const Cause> shared(Cause cause) { return std::make_shared<const Cause>(std::move(cause)); }

// With the facts that the engine gives it.
Cause example(Why why) {
  const std::shared_ptr<const Cause> crash = shared({.why = Why::ended, .status = ExitStatus{1, {}}});
  switch (why) {
    case Why::values_not_read:
    case Why::pod_stops:
    case Why::look_outdated:
    case Why::dependencies_ready:
    case Why::conditions_hold:
    case Why::no_conditions:
    case Why::condition_ceased:
    case Why::rereads_values:
    case Why::values_changed:
    case Why::definition_changed: return {.why = why};
    case Why::not_part: return {.why = why, .text = "TOKEN is not set"};
    case Why::values_missing:
    case Why::values_unusable: return {.why = why, .names = {"TOKEN"}, .text = "TOKEN, which is not set"};
    case Why::values_unaccepted: return {.why = why, .names = {"SECRET", "TOKEN"}};
    case Why::comes_after: return {.why = why, .names = {"gated", "seed"}};
    case Why::task_done_before:
    case Why::looks_whether_done:
    case Why::verifies:
    case Why::not_verified: return {.why = why, .names = {"/data/database"}};
    case Why::ended:
      return {.why = why,
              .text = "no space left on device",
              .status = ExitStatus{1, {}},
              .count = FailureCount{3, 10, 10min}};
    case Why::in_background: return {.why = why, .text = "daemon (pid 17)", .status = ExitStatus{0, {}}};
    case Why::not_spawned: return {.why = why, .text = "executing /bin/x: ENOENT"};
    case Why::not_ready: return {.why = why, .names = {"file /a", "file /b"}, .time = 6s};
    case Why::not_ended: return {.why = why, .time = 60s, .count = FailureCount{5, 0, 10min}};
    case Why::not_ready_in_turn: return {.why = why, .text = "newer values wait"};
    case Why::not_live:
    case Why::never_live: return {.why = why, .names = {"port 9080"}, .text = "connection refused"};
    case Why::operator_asked: return {.why = why, .text = "operator (uid 1000)"};
    case Why::stop_requested: return {.why = why, .text = "SIGTERM"};
    case Why::pod_ended: return {.why = why, .text = "seed failed"};
    case Why::rolled_back: return {.why = why, .names = {"slakd"}, .generation = 4, .because = crash};
    case Why::dependency_restarts:
    case Why::dependency_stops:
    case Why::dependency_restarted:
      return {.why = why, .names = {"gated"}, .because = shared({.why = Why::values_changed})};
    case Why::backoff_over: return {.why = why, .because = crash};
  }
  return {};
}

}  // namespace

TEST_CASE("engine: each cause has a code and a sentence") {
  std::set<std::string> codes;
  std::string all;
  for (std::size_t number = 0; number < kinds_of_causes; ++number) {
    const Why why = static_cast<Why>(number);
    const std::string code(to_text(why));
    CHECK(codes.insert(code).second);
    CHECK(code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos);
    all += fmt::format("{}: {}\n", code, to_text(example(why)));
  }
  CHECK_TEXT(all, R"(
values-not-read: the values of the environment have not been read yet
pod-stops: the pod is stopping
not-part: TOKEN is not set
values-missing: it needs TOKEN, which is not set
values-unusable: it takes TOKEN, which is not set
values-unaccepted: SECRET, TOKEN was changed since the last run, and nobody has accepted it
comes-after: it comes after gated, seed
task-done-before: /data/database exists already
look-outdated: something changed during that check
dependencies-ready: everything it comes after is ready
looks-whether-done: arizuko-init checks whether /data/database exists
conditions-hold: all its readiness conditions hold
no-conditions: it runs and has no readiness condition
condition-ceased: a readiness condition does not hold any more
verifies: it exited with code 0; arizuko-init checks what it made
rereads-values: it exited with code 0; arizuko-init reads the values again, for it may have written some
ended: it exited with code 1, its last words: no space left on device (failure 3 of 10 within 10 min)
in-background: it runs in the background: it exited with code 0 and left daemon (pid 17); start it in the foreground
not-spawned: it could not be started: executing /bin/x: ENOENT
not-ready: it was not ready within 6.0 s: file /a; file /b
not-ended: it did not end within 1 min (5 failures within 10 min)
not-ready-in-turn: it did not become ready again in time, and newer values wait
not-live: its liveness failed: port 9080: connection refused
never-live: its liveness never held: port 9080 (connection refused)
not-verified: it exited with code 0, but /data/database does not exist
operator-asked: the operator (uid 1000) asked for it
stop-requested: SIGTERM
pod-ended: seed failed
values-changed: its values changed
definition-changed: its definition changed
rolled-back: generation 4 is rolled back (slakd: it exited with code 1)
dependency-restarts: gated is restarted (its values changed)
dependency-stops: gated is stopped (its values changed)
dependency-restarted: gated was restarted (its values changed)
backoff-over: its back-off is over; before that it exited with code 1
)");
}

TEST_CASE("engine: who is restarted along with another has the other's cause as its origin") {
  const Cause direct{.why = Why::values_changed};
  CHECK(origin(direct) == Why::values_changed);
  const Cause along{.why = Why::dependency_restarts, .names = {"gated"}, .because = shared(direct)};
  const Cause further{.why = Why::dependency_restarts, .names = {"teled"}, .because = shared(along)};
  CHECK(origin(further) == Why::values_changed);
}

TEST_CASE("engine: what followed an earlier restart is a matter of its own") {
  const Cause late{
      .why = Why::dependency_restarted, .names = {"gated"}, .because = shared({.why = Why::values_changed})};
  CHECK(origin(late) == Why::dependency_restarted);
}
