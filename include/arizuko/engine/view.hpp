// What the engine shows: the whole truth for status, metrics, probes and `why`. Never a value.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/cause.hpp"
#include "arizuko/engine/event.hpp"
#include "arizuko/engine/rotation.hpp"
#include "arizuko/engine/state.hpp"
#include "arizuko/engine/time.hpp"

namespace arizuko::engine {

struct ConditionView {
  enum class Is { unknown, holds, fails, dropped };
  std::string text;  // "http http://127.0.0.1:9080/health contains \"ok\""
  Is is = Is::unknown;
  std::string detail;  // why not
};

/// The present run of a service, or the last one.
struct RunView {
  std::optional<Pid> pid;                        // of the main process, while it lives
  Why last_start_why = Why::dependencies_ready;  // it was started
  std::string last_start_cause;                  // the same, for people
  env::Generation generation = 0;                // of the values it runs with
  std::optional<Instant> values_since;           // when that generation was taken
  bool old_values = false;                       // with the values in force its environment would be another
  std::optional<Nanoseconds> start_time;         // spawn to ready, last time
  std::optional<Instant> ready_at;
};

/// All runs of a service so far.
struct RunsView {
  RunNumber spawns = 0;
  std::uint32_t restarts = 0;         // runs after the first
  std::uint32_t failures = 0;         // within the budget's window
  std::optional<Instant> next_start;  // in back-off
  std::optional<ExitStatus> last_exit;
  std::map<std::string, std::uint64_t> exits;  // "0", "1", "SIGKILL" -> how often
};

struct ServiceView {
  std::string name;
  plan::Kind kind = plan::Kind::service;
  bool essential = false;
  std::uint16_t port = 0;

  State state = State::off;
  Instant since{};
  Why why = Why::values_not_read;  // it is in this state
  std::string cause;               // the same, for people: a phrase that follows "because"

  /// Names of services, texts of conditions, or names of keys: what it waits for in this state.
  std::vector<std::string> waiting_for;
  /// Of those, the services: what `why` follows.
  std::vector<ServiceId> waiting_for_services;

  RunView run;
  RunsView runs;

  std::vector<ConditionView> readiness;
  std::vector<ConditionView> liveness;
};

/// The values in force: what is started now gets them. And those on their way.
struct ValuesView {
  env::Generation generation = 0;
  std::optional<Instant> values_since;              // when they were taken
  std::optional<RotationView> rotation;             // the present one, or the last
  std::array<std::uint64_t, outcomes> rotations{};  // how many ended so, by Outcome
  std::optional<WaitingValuesView> waiting_values;
  std::vector<HeldKeyView> held_keys;
};

struct View {
  std::string instance;
  PodState state = PodState::booting;
  Instant started{};
  Instant since{};  // of `state`
  std::string cause;
  std::string start_waits_for;  // nothing is started before that; empty: nothing
  ValuesView values;
  bool seeded = false;  // every task is done
  bool opened = false;  // every service of ready_when was ready once
  bool ready = false;   // every service of ready_when is ready, and the pod is not stopping
  std::optional<Instant> stop_deadline;
  std::vector<ServiceView> services;  // by ServiceId
  std::optional<int> exit_code;
  std::string verdict;
};

/// True when nothing that should be ready is not: every service that is neither off nor a finished
/// task is ready. What `status` exits 0 for.
bool all_well(const View& view);

}  // namespace arizuko::engine
