// What happened: everything the engine ever learns of the world.
//
// An event of a run of a service carries the id of that run, which the engine gave it: what comes late, from
// a run that is over, is ignored.
//
// Texts are for people and may quote what came from outside: they are washed (env/foreign.hpp), for they come
// out again in states, causes and verdicts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arizuko/engine/exit_status.hpp"
#include "arizuko/engine/run_id.hpp"
#include "arizuko/engine/time.hpp"
#include "arizuko/env/foreign.hpp"
#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::engine {

using env::Washed;
using Pid = std::int32_t;
using PlanPtr = std::shared_ptr<const plan::Plan>;

/// Time has come to the instant that deadline() named. May come late, early or twice.
struct Tick {};

struct Spawned {
  RunId run;
  Pid pid;
};

struct SpawnFailed {
  RunId run;
  Washed reason;         // "executing /usr/local/bin/gated: Permission denied (EACCES)"
  bool passing = false;  // EAGAIN, ENOMEM, EMFILE: does not count against the crash budget
};

/// The main process ended and was reaped. `leftovers` describes what still lives of its tree
/// ("sleep (pid 17)"), empty when nothing does; then no TreeEmpty follows.
struct Exited {
  RunId run;
  ExitStatus status;
  Washed leftovers;
  Washed last_words{};  // the last line that this run wrote, for people; empty: it wrote none
};

/// The last leftover of a run is gone; only after an Exited with leftovers.
struct TreeEmpty {
  RunId run;
};

/// The answer to a Watch: at its first look, and at each change from then on.
struct ConditionChanged {
  RunId run;
  std::uint32_t watch;  // the number of the Watch
  bool holds;
  Washed detail;  // why not: "connection refused", ":9080 is held by timed (pid 7)"
};

/// A new generation of values. The first one must come before anything is started. One whose values are
/// those of the last one is no news, unless an operator asked, or it answers a ReadSources.
struct EnvironmentChanged {
  env::SnapshotPtr snapshot;
  bool asked = false;  // by an operator: tried even if refused before, without a look at the rate limit
  bool again = false;  // answers a ReadSources: looked at although nothing changed
  std::vector<std::string> unlike_last_run;  // guarded keys whose values are not those of the last run
  std::optional<Instant> switched;           // when the source changed, as far as known
};

/// The operator accepts the value of a key that is held back until somebody does.
struct Accept {
  std::string key;
  Washed by;
};

/// The operator wants values tried again that a service did not bear: this key's, or all of them.
struct Retry {
  std::optional<std::string> key;
  Washed by;
};

/// A new plan, already loaded and checked. Services are matched by name and kind. It waits for the end
/// of a rotation that is under way.
struct PlanChanged {
  PlanPtr plan;
};

/// A new plan, or new values, cannot be used: what runs stays as it is. A line of history, no more.
struct InputRefused {
  enum class Input { plan, values };
  Input input;
  Washed cause;   // "the plan file changed"
  Washed reason;  // the first problem, one line
};

/// End the run. A second one shortens it.
struct StopRequested {
  Washed cause;  // "SIGTERM"
};

/// What an operator asks for. `by` names who: "operator (uid 1000)".
struct Command {
  enum class Verb { start, stop, restart };
  Verb verb;
  ServiceId service;
  Washed by;
};

/// Before the first values: what has to be over before anything is started ("the data directory ... is in use
/// by ..."), for people; empty: nothing more.
struct StartWaits {
  Washed cause;
};

/// What the host has to tell of the pod as a whole: one line of history. It decides nothing.
struct Remark {
  enum class Tone { info, warning };
  Tone tone;
  Washed cause;
};

using Event =
    std::variant<Tick, Spawned, SpawnFailed, Exited, TreeEmpty, ConditionChanged, EnvironmentChanged,
                 PlanChanged, StopRequested, Command, Accept, Retry, InputRefused, StartWaits, Remark>;

}  // namespace arizuko::engine
